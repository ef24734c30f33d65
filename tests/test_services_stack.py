"""The production set-up with real processes: PostgreSQL, Redis, a Celery worker and a Chroma server."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from django.conf import settings

from tests.conftest import is_listening

# One after the other: they share a Redis database, and each begins with an empty one.
pytestmark = [pytest.mark.services, pytest.mark.xdist_group("stack")]

BIN = Path(sys.executable).parent
EDIT = """
from knowledge.models import Article
for title, body in (
    ("Paying by PayPal", "We accept PayPal in Germany and Austria. Link the account under Payment."),
    ("Battery range", "A full battery lasts for about 60 kilometres on flat ground, less in winter."),
    ("Lost charger", "A new charger costs 45 euros and is sent within two days."),
):
    slug = title.lower().replace(" ", "-")
    Article.objects.create(title=title, slug=slug, language="en", status="published", body=body)
Article.objects.create(
    title="Pause your subscription", slug="pause", language="en", status="published",
    body="A pause of your subscription costs 9 euros a month and lasts one to three months.",
)
"""
WITHDRAW = """
from knowledge.models import Article
article = Article.objects.get(slug="pause"); article.status = "archived"; article.save()
"""
LOADED = """
import sys
from knowledge.models import Article
print(Article.objects.get(slug="pause").indexed_at is not None, "torch" in sys.modules)
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _process(
    arguments: list[str], environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            arguments, cwd=settings.BASE_DIR, env=environment, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(check, seconds: float, what: str, log: Path) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if check():
                return
        time.sleep(0.1)
    pytest.fail(f"{what} within {seconds} s; log: {log.read_text()[-2000:]}")


@pytest.fixture
def database() -> Iterator[str]:
    server = os.environ["TEST_DATABASE_URL"].rsplit("/", 1)[0]
    name = f"stack_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(os.environ["TEST_DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield f"{server}/{name}"
    with psycopg.connect(os.environ["TEST_DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def environment(database: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    broker = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/9")
    redis.Redis.from_url(broker).flushdb()
    port = _free_port()
    values = {
        **os.environ,
        "DATA_DIR": str(tmp_path / "data"),
        "DATABASE_URL": database,
        "CELERY_BROKER_URL": broker,
        "CHROMA_URL": f"http://127.0.0.1:{port}",
        "EMAIL_URL": "file://",
    }
    chroma = [
        str(BIN / "chroma"),
        "run",
        "--path",
        str(tmp_path / "chroma"),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    log = tmp_path / "chroma.log"
    with _process(chroma, values, log):
        _wait(lambda: is_listening(port), 30, "no Chroma server", log)
        yield values


def _manage(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _shell(environment: dict[str, str], code: str) -> str:
    return _manage(environment, "shell", "-v", "0", "-c", code)


def test_edit_reaches_the_answer_through_broker_worker_and_chroma_server(environment, tmp_path):
    print(
        "\nreally used:",
        environment["DATABASE_URL"],
        environment["CELERY_BROKER_URL"],
        environment["CHROMA_URL"],
    )
    _manage(environment, "migrate", "-v", "0")
    worker = [str(BIN / "celery"), "-A", "helpcenter", "worker", "--pool", "threads", "-c", "2", "-l", "INFO"]
    log = tmp_path / "worker.log"
    with _process(worker, environment, log):
        _wait(lambda: "ready" in log.read_text(), 60, "no Celery worker", log)
        _shell(environment, EDIT)
        _wait(lambda: "True" in _shell(environment, LOADED), 90, "the worker did not index the edit", log)
        assert _shell(environment, LOADED).split() == ["True", "False"], (
            "the editor's process embedded by itself"
        )
        answer = json.loads(_manage(environment, "ask", "How much is a pause of my subscription?", "--json"))
        assert answer["status"] == "answered", answer
        assert answer["citations"][0]["title"] == "Pause your subscription"
        _shell(environment, WITHDRAW)
        answer = json.loads(_manage(environment, "ask", "How much is a pause of my subscription?", "--json"))
        assert answer["status"] == "escalated"
        assert "Pause your subscription" not in str(answer)
        _manage(environment, "sync_index")
        _manage(environment, "sync_index", "--check")


def test_ticket_mail_leaves_through_the_worker(environment, tmp_path):
    _manage(environment, "migrate", "-v", "0")
    ask = ["ask", "Which wine goes with duck?", "--email", "anna@example.org", "--json"]
    log = tmp_path / "worker.log"
    # Asked while no worker runs: the ticket is there, the mail waits in the queue.
    ticket = json.loads(_manage(environment, *ask))["ticket"]
    assert not list((tmp_path / "data" / "mail").glob("*"))
    with _process(
        [str(BIN / "celery"), "-A", "helpcenter", "worker", "--pool", "threads", "-c", "1"], environment, log
    ):
        _wait(lambda: any((tmp_path / "data" / "mail").glob("*.log")), 60, "no mail was written", log)
    mail = next((tmp_path / "data" / "mail").glob("*.log")).read_text()
    assert ticket["reference"] in mail


def test_unreachable_chroma_server_costs_no_answer(environment):
    _manage(environment, "migrate", "-v", "0")
    inline = {**environment, "CELERY_BROKER_URL": ""}
    _shell(inline, EDIT)
    dark = {**inline, "CHROMA_URL": f"http://127.0.0.1:{_free_port()}"}
    started = time.monotonic()
    answer = json.loads(_manage(dark, "ask", "How much is a pause of my subscription?", "--json"))
    assert answer["status"] == "answered"
    assert time.monotonic() - started < 60
