"""The production set-up with real processes: PostgreSQL, Redis, and the commands of compose.yaml, word for word.

Only addresses and folders are other ones than in the containers.
"""

import contextlib
import json
import os
import signal
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

from tests import composed
from tests.composed import FILLED_IN
from tests.conftest import is_listening
from tests.processes import get

# One after the other: they share a Redis database, and each begins with an empty one.
pytestmark = [pytest.mark.services, pytest.mark.xdist_group("stack")]

VALUES = {**FILLED_IN, "LOG_LEVEL": "INFO"}
WORKER = composed.command("worker", VALUES, {})
BEAT = composed.command("beat", VALUES, {})
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
# Some seconds of embedding, so that a kill meets it at work.
LONG_EDIT = """
from knowledge.models import Article
body = "\\n\\n".join(
    f"## Part {n}\\n\\nPart number {n} of the manual names the tools that step {n} needs and why. " * 4
    for n in range(80)
)
Article.objects.create(title="The long manual", slug="pause", language="en", status="published", body=body)
"""
LOADED = """
import sys
from knowledge.models import Article
print(Article.objects.get(slug="pause").index_marks.exclude(indexed_at=None).exists(), "torch" in sys.modules)
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _process(
    arguments: list[str], environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """In a group of its own, so that a test can kill it with all that it forked."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            arguments,
            cwd=settings.BASE_DIR,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
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


def _on_the_server(*statements: str) -> None:
    with psycopg.connect(os.environ["TEST_DATABASE_URL"], autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def _address_of(name: str) -> str:
    return f"{os.environ['TEST_DATABASE_URL'].rsplit('/', 1)[0]}/{name}"


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database to be copied: by the command of compose.yaml, once, because it takes seconds."""
    name = f"stack_{uuid.uuid4().hex[:8]}"
    _on_the_server(f'CREATE DATABASE "{name}"')
    folder = tmp_path_factory.mktemp("migrated")
    values = {**os.environ, "DATA_DIR": str(folder), "DATABASE_URL": _address_of(name)}
    subprocess.run(
        composed.command("migrate", VALUES, {}), cwd=settings.BASE_DIR, env=values, check=True, timeout=300
    )
    yield name
    _on_the_server(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database(migrated: str) -> Iterator[str]:
    name = f"stack_{uuid.uuid4().hex[:8]}"
    _on_the_server(f'CREATE DATABASE "{name}" TEMPLATE "{migrated}"')
    yield _address_of(name)
    _on_the_server(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def environment(database: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    broker = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/9")
    redis.Redis.from_url(broker).flushdb()
    port = _free_port()
    values = {
        **os.environ,
        "HOME": str(tmp_path / "nowhere"),  # containers have none that could be written to
        "HOSTNAME": socket.gethostname(),
        "DATA_DIR": str(tmp_path / "data"),
        "DATABASE_URL": database,
        "CELERY_BROKER_URL": broker,
        "CHROMA_URL": f"http://127.0.0.1:{port}",
        "EMAIL_URL": "file://",
    }
    here = {"0.0.0.0": "127.0.0.1", "8000": str(port), "/index": str(tmp_path / "chroma")}
    log = tmp_path / "chroma.log"
    with _process(composed.command("chroma", VALUES, here), values, log):
        _wait(lambda: is_listening(port), 300, "no Chroma server", log)
        _wait(lambda: _is_healthy("chroma", values, {"8000": str(port)}), 300, "chroma is not healthy", log)
        yield values


def _is_healthy(service: str, environment: dict[str, str], replaced: dict[str, str]) -> bool:
    """By the very check of compose.yaml."""
    search = f"{Path(sys.executable).parent}:{environment['PATH']}"
    return (
        subprocess.run(
            composed.healthcheck(service, VALUES, replaced),
            cwd=settings.BASE_DIR,
            env={**environment, "PATH": search},
            capture_output=True,
            timeout=300,
            check=False,
        ).returncode
        == 0
    )


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _has_loaded(pid: int, library: str) -> bool:
    return library in Path(f"/proc/{pid}/maps").read_text()


def _embedding_child(worker: subprocess.Popen[bytes]) -> int | None:
    return next((child for child in _children(worker.pid) if _has_loaded(child, "libtorch")), None)


@contextlib.contextmanager
def _worker(environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with _process(WORKER, environment, log) as worker:
        _wait(lambda: "ready" in log.read_text(), 300, "no Celery worker", log)
        yield worker


def _manage(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
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
    log = tmp_path / "worker.log"
    with _worker(environment, log) as worker:
        _shell(environment, EDIT)
        _wait(lambda: "True" in _shell(environment, LOADED), 300, "the worker did not index the edit", log)
        assert _shell(environment, LOADED).split() == ["True", "False"], (
            "the editor's process embedded by itself"
        )
        assert not _has_loaded(worker.pid, "libtorch"), "the parent of the worker processes loaded the model"
        assert not _has_loaded(worker.pid, "chromadb")
        assert _embedding_child(worker) is not None
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
    ask = ["ask", "Which wine goes with duck?", "--email", "anna@example.org", "--json"]
    log = tmp_path / "worker.log"
    # Asked while no worker runs: the ticket is there, the mail waits in the queue.
    ticket = json.loads(_manage(environment, *ask))["ticket"]
    assert not list((tmp_path / "data" / "mail").glob("*"))
    with _worker(environment, log):
        _wait(lambda: any((tmp_path / "data" / "mail").glob("*.log")), 300, "no mail was written", log)
    mail = next((tmp_path / "data" / "mail").glob("*.log")).read_text()
    assert ticket["reference"] in mail


def test_unreachable_chroma_server_costs_no_answer(environment):
    inline = {**environment, "CELERY_BROKER_URL": ""}
    _shell(inline, EDIT)
    dark = {**inline, "CHROMA_URL": f"http://127.0.0.1:{_free_port()}"}
    started = time.monotonic()
    answer = json.loads(_manage(dark, "ask", "How much is a pause of my subscription?", "--json"))
    assert answer["status"] == "answered"
    assert time.monotonic() - started < 280


def test_worker_killed_at_work_is_made_up_for_by_beat(environment, tmp_path):
    """All of it, as when a machine loses its power: the queue gives the task back an hour later, the sweep at once."""
    log = tmp_path / "worker.log"
    with _worker(environment, log) as worker:
        _shell(environment, LONG_EDIT)
        _wait(lambda: _embedding_child(worker), 300, "no task began", log)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    assert "False" in _shell(environment, LOADED)  # it was at work
    log, beat_log = tmp_path / "worker-2.log", tmp_path / "beat.log"
    with _worker(environment, log), _process(BEAT, environment, beat_log):
        _wait(lambda: "True" in _shell(environment, LOADED), 300, "nobody made up for it", log)
        # Health is asked over the broker, of the two that listen and of nobody else.
        for service in ("worker", "beat"):
            _wait(
                lambda name=service: _is_healthy(name, environment, {}), 300, f"{service} is not healthy", log
            )
    assert not _is_healthy("worker", environment, {})
    assert not _is_healthy("beat", environment, {})
    _manage(environment, "sync_index", "--check")


def test_process_killed_at_work_is_made_up_for_by_the_queue(environment, tmp_path):
    """Memory ran out, say: the worker itself gives the task back, no beat is needed."""
    log = tmp_path / "worker.log"
    with _worker(environment, log) as worker:
        _shell(environment, LONG_EDIT)
        _wait(lambda: _embedding_child(worker), 300, "no task began", log)
        killed = _embedding_child(worker)
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        _wait(lambda: "WorkerLostError" in log.read_text(), 300, "the worker did not notice", log)
        _wait(lambda: "True" in _shell(environment, LOADED), 300, "the task did not come back", log)
        assert worker.poll() is None
        assert killed not in _children(worker.pid)


def test_task_that_exceeds_its_limit_is_ended_and_the_worker_goes_on(environment, tmp_path):
    """Which Celery's threads cannot do: the reason for processes."""
    (tmp_path / "endless.py").write_text(
        "import time\n"
        "from celery.exceptions import SoftTimeLimitExceeded\n"
        "from helpcenter.celery import app\n"
        "@app.task(name='endless', soft_time_limit=1, time_limit=3)\n"
        "def endless():\n"
        "    while True:\n"
        "        try:\n"
        "            time.sleep(1)\n"
        "        except SoftTimeLimitExceeded:\n"
        "            print('asked in vain', flush=True)\n"
    )
    with_task = {**environment, "PYTHONPATH": str(tmp_path)}
    log = tmp_path / "worker.log"
    with _process([*WORKER, "--include=endless"], with_task, log) as worker:
        _wait(lambda: "ready" in log.read_text(), 300, "no Celery worker", log)
        _shell(with_task, "from endless import endless; endless.delay()")
        _wait(lambda: "asked in vain" in log.read_text(), 300, "it was not asked to end", log)
        _wait(lambda: "Hard time limit (3s) exceeded" in log.read_text(), 300, "it was not ended", log)
        assert worker.poll() is None
        _wait(lambda: len(_children(worker.pid)) == 2, 300, "no new process took its place", log)


def test_web_of_compose_serves_and_is_healthy(environment, tmp_path):
    port = _free_port()
    _shell(environment, EDIT)
    served = {
        **environment,
        "STATIC_MANIFEST": "1",
        "ALLOWED_HOSTS": "localhost",
        "WEB_CONCURRENCY": "2",
    }
    _manage(served, "collectstatic", "--noinput", "-v", "0")
    log = tmp_path / "web.log"
    here = {"0.0.0.0:8000": f"127.0.0.1:{port}", ":8000/": f":{port}/"}
    with _process(composed.command("web", VALUES, here), served, log):
        _wait(lambda: is_listening(port), 300, "no web server", log)
        _wait(lambda: _is_healthy("web", served, here), 300, "the web is not healthy", log)
        assert "Pause your subscription" in get(f"http://localhost:{port}/en/", timeout=300)
    assert not _is_healthy("web", served, here)


def test_connections_that_the_server_cut_are_replaced_before_a_request_meets_them(environment):
    code = """
from django.db import connection
from django.contrib.auth.models import User
User.objects.count(); connection.close()  # back into the pool
import os, psycopg
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as other:
    cut = other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
                        "current_database() AND pid <> pg_backend_pid()").fetchall()
assert cut, "no connection was in the pool"
print(User.objects.count())
"""
    assert _shell(environment, code).strip() == "0"


STATE = """
from knowledge.generations import building, live
print(live().model, building() is None, live().recipe)
"""


def test_a_new_model_is_built_and_put_in_place_by_the_worker(environment, tmp_path):
    """By the task that beat rings for; questions are answered from the old index until then."""
    before = {**environment, "EMBEDDING_MODEL": "minilm"}
    log = tmp_path / "worker.log"
    with _worker(before, log):
        _shell(before, EDIT)
        _wait(lambda: "True" in _shell(before, LOADED), 300, "the worker did not index the edit", log)
    assert _shell(before, STATE).split()[:2] == ["minilm", "True"]
    answer = json.loads(_manage(environment, "ask", "How much is a pause of my subscription?", "--json"))
    assert answer["status"] == "answered"
    log, beat_log = tmp_path / "worker-2.log", tmp_path / "beat.log"
    with _worker(environment, log), _process(BEAT, environment, beat_log):
        _wait(
            lambda: _shell(environment, STATE).split()[:2] == ["minilm-de-en", "True"],
            300,
            "the new index is not live",
            log,
        )
    assert "is live" in log.read_text()
    assert json.loads(_manage(environment, "ask", "How much is a pause of my subscription?", "--json"))[
        "citations"
    ]
    _manage(environment, "sync_index", "--check")


def test_beat_adds_nothing_to_a_queue_that_nobody_empties(environment, tmp_path):
    broker = redis.Redis.from_url(environment["CELERY_BROKER_URL"])
    log = tmp_path / "beat.log"
    with _process(BEAT, environment, log):
        _wait(lambda: broker.llen("celery") > 0, 300, "beat does not ring", log)
        broker.rpush("celery", *["{}"] * 200)
        _wait(lambda: "beat adds nothing to them" in log.read_text(), 60, "beat does not notice", log)
        waiting = broker.llen("celery")
        time.sleep(7)  # three sweeps and a comparison
        assert broker.llen("celery") == waiting
        broker.delete("celery")
        _wait(lambda: broker.llen("celery") > 0, 60, "beat does not ring again", log)
