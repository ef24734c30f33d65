"""/readyz: what it says of each part, when it says 503, that it never hangs and that it tells no secrets."""

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from helpcenter import readiness
from knowledge import ownership
from knowledge.embeddings import EmbedderUnavailable, get_embedder, use_embedder
from knowledge.indexing import repair_index
from knowledge.indexing.checkup import write_checkup
from knowledge.models import Checkup
from knowledge.vectors import CollectionKey, VectorStoreUnavailable, get_store, reset_store
from tests.databases import database_url
from tests.processes import ROOT, chroma_server, environment, free_port, manage, wait_until
from tests.proxy import Fault, proxy_to
from tests.seeded import SeededEmbedder, vector_of

pytestmark = pytest.mark.django_db(transaction=True)  # its threads see what is committed

HANG_SECONDS = 5.0  # two are promised; a busy machine starts threads late
KEY = CollectionKey("public", "en", "ab" * 32)


@pytest.fixture(autouse=True)
def embedder():
    use_embedder(SeededEmbedder())
    yield
    use_embedder(None)


def ask(client, status=200):
    started = time.monotonic()
    response = client.get("/readyz")
    assert time.monotonic() - started < HANG_SECONDS
    assert response.status_code == status
    assert response["Cache-Control"] == "no-store"
    return response.json()


def part(client, name, status=200):
    return ask(client, status)["parts"][name]


def test_every_part_is_named_with_its_state(client):
    found = ask(client)
    assert set(found) == {"state", "parts"}
    assert set(found["parts"]) == {
        *(
            "database",
            "vector_index",
            "embedding_model",
            "reranker",
            "grounding_model",
            "articles",
            "next_index",
        ),
        *("sweep", "canaries", "broker"),
    }
    assert {one["state"] for one in found["parts"].values()} <= {"ok", "degraded", "broken"}
    assert found["parts"]["database"] == {"state": "ok", "detail": connection.vendor}


def test_asking_opens_nothing_and_loads_nothing(tmp_path):
    """In a process that has done nothing else."""
    code = """
import os, sys; os.environ["DJANGO_SETTINGS_MODULE"] = "helpcenter.settings"
import django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.test import Client
print(Client().get("/readyz", headers={"host": "localhost"}).status_code)
print(sorted(name for name in ("torch", "sentence_transformers", "chromadb") if name in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.split("\n")[:2] == ["200", "[]"], done.stderr
    assert not (tmp_path / "index").exists()


def test_stale_articles_are_counted(client, make_article):
    make_article("One", synced=False)
    make_article("Two")
    assert part(client, "articles") == {"state": "ok", "detail": "", "stale": 1, "failed": 0}


# --- the database -----------------------------------------------------------------------------------------


def test_without_tables_nothing_can_be_answered(tmp_path):
    status, found = _ask_elsewhere(tmp_path)
    assert status == 503
    assert found["state"] == "broken"
    assert found["parts"]["articles"]["state"] == "broken"


@pytest.mark.parametrize("is_silent", [True, False])
def test_a_database_that_is_away_is_told_in_time_and_without_its_password(tmp_path, is_silent):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1] if is_silent else free_port()
        status, found = _ask_elsewhere(tmp_path, DATABASE_URL=f"postgres://me:hushhush@127.0.0.1:{port}/x")
    assert status == 503
    assert found["parts"]["database"]["state"] == "broken"
    assert found["seconds"] < HANG_SECONDS
    for secret in ("hushhush", str(port), str(tmp_path), "127.0.0.1"):
        assert secret not in json.dumps(found["parts"])


def _ask_elsewhere(data_dir, **values):
    code = """
import json, os, sys, time; os.environ["DJANGO_SETTINGS_MODULE"] = "helpcenter.settings"
import django; django.setup()
from django.test import Client
started = time.monotonic()
response = Client().get("/readyz", headers={"host": "localhost"})
print(json.dumps([response.status_code, response.json() | {"seconds": time.monotonic() - started}]), flush=True)
os._exit(0)  # a thread of the driver may still be waiting for the database
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(data_dir, **values),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_a_part_that_hangs_costs_one_thread_however_often_it_is_asked(client, monkeypatch):
    release = threading.Event()

    def hang():
        release.wait(30)
        return readiness.Part(readiness.State.OK)

    monkeypatch.setattr(readiness, "_broker", hang)
    monkeypatch.setattr(readiness, "_DEADLINE_SECONDS", 0.2)
    try:
        for _n in range(3):
            assert part(client, "broker") == {"state": "broken", "detail": "no answer in time"}
        hanging = [thread for thread in threading.enumerate() if thread.name == "readyz-broker"]
        assert len(hanging) == 1
    finally:
        release.set()
    wait_until(lambda: part(client, "broker")["state"] == "ok", seconds=120, what="it is asked again")


# --- the vector index -------------------------------------------------------------------------------------


def test_an_index_that_nobody_has_asked_is_not_opened(client, settings):
    reset_store()
    shutil.rmtree(settings.INDEX_DIR, ignore_errors=True)
    assert part(client, "vector_index") == {"state": "ok", "detail": "not asked yet"}
    assert not settings.INDEX_DIR.exists()
    get_store().collections()
    assert part(client, "vector_index") == {"state": "ok", "detail": "connected"}


def test_a_server_that_is_away_or_silent_is_told_with_its_substitute(client, settings, tmp_path):
    port = free_port()
    reset_store()
    with chroma_server(tmp_path / "chroma", port), proxy_to(port) as proxy:
        settings.CHROMA_URL = f"http://:hushhush@127.0.0.1:{proxy.port}"
        assert part(client, "vector_index")["state"] == "ok"
        proxy.fault = Fault.SILENCE
        found = part(client, "vector_index")
        assert found["state"] == "degraded"
        assert found["detail"] == "it did not answer in time; exact search answers in its place"
        proxy.fault = Fault.RESET
        found = ask(client)
        assert found["state"] == "degraded"
        assert found["parts"]["vector_index"]["detail"].startswith("it cannot be reached")
        assert "hushhush" not in json.dumps(found)
        assert str(proxy.port) not in json.dumps(found)


def test_what_questions_met_is_what_is_told(client, settings):
    reset_store()
    settings.CHROMA_URL = "no url"
    with pytest.raises(VectorStoreUnavailable):
        get_store().nearest([KEY], vector_of("x"), 1)
    assert part(client, "vector_index")["detail"].startswith("CHROMA_URL is no address")


def test_a_folder_in_other_hands_is_told(client, settings):
    reset_store()
    lock = ownership.acquire(settings.INDEX_DIR, command="manage.py other")
    with pytest.raises(VectorStoreUnavailable):
        get_store().nearest([KEY], vector_of("x"), 1)
    assert part(client, "vector_index")["detail"].startswith("another process has its folder open")
    lock.release()


# --- the others -------------------------------------------------------------------------------------------


def test_the_model(client, settings, tmp_path):
    assert part(client, "embedding_model") == {"state": "ok", "detail": "loaded"}
    use_embedder(None)
    assert part(client, "embedding_model") == {"state": "ok", "detail": "not loaded yet"}
    settings.EMBEDDING_MODEL = str(tmp_path / "nowhere")
    with pytest.raises(EmbedderUnavailable):
        get_embedder()
    found = ask(client)
    assert found["parts"]["embedding_model"]["state"] == "degraded"
    assert found["parts"]["embedding_model"]["detail"].startswith("cannot be loaded")
    assert str(tmp_path) not in json.dumps(found)


def test_who_looks_after_what_was_missed(client, settings):
    assert part(client, "sweep")["detail"].startswith("nobody")
    lock = ownership.acquire(settings.INDEX_DIR, command="manage.py serve")
    lock.announce(command="manage.py serve", sweeps=True)
    assert part(client, "sweep")["detail"] == "the process of manage.py serve"
    lock.release()
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{free_port()}/0"
    assert part(client, "sweep") == {
        "state": "ok",
        "detail": "Celery beat and its workers",
        "compared_at": None,
    }
    repair_index()
    assert part(client, "sweep")["compared_at"].startswith(timezone.now().strftime("%Y-"))


def test_a_sweep_that_is_not_heard_of_is_told(client, settings, monkeypatch):
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{free_port()}/0"
    monkeypatch.setattr(timezone, "now", lambda: datetime.now(UTC) - timedelta(hours=1))
    write_checkup(checked=3, failed=0, asked=True)
    monkeypatch.undo()
    assert part(client, "sweep")["detail"] == "Celery beat and its workers, but not heard of lately"


def test_canaries(client, make_article):
    assert part(client, "canaries") == {"state": "ok", "detail": "not asked yet"}
    make_article("One")
    repair_index()
    found = part(client, "canaries")
    assert (found["state"], found["checked"], found["failed"]) == ("ok", 1, 0)
    repair_index(asks_canaries=False)
    assert part(client, "canaries") == found  # the last ones stand
    write_checkup(checked=10, failed=4, asked=True)
    assert part(client, "canaries")["state"] == "degraded"


def test_what_a_worker_elsewhere_found_is_known_here(client, tmp_path):
    """Web and workers may be on machines that share the database and no folder."""
    written = manage(
        tmp_path,
        *("shell", "-v", "0", "-c"),
        "from knowledge.indexing.checkup import write_checkup; write_checkup(checked=9, failed=2, asked=True)",
        DATABASE_URL=database_url(),
    )
    assert written.returncode == 0, written.stderr
    found = part(client, "canaries")
    assert (found["state"], found["checked"], found["failed"]) == ("degraded", 9, 2)


def test_comparisons_every_few_seconds_are_not_all_written_down():
    write_checkup(checked=1, failed=0, asked=True)
    first = Checkup.objects.get()
    write_checkup(checked=0, failed=0, asked=False)
    assert Checkup.objects.get().at == first.at
    Checkup.objects.update(at=first.at - timedelta(minutes=1))
    write_checkup(checked=0, failed=0, asked=False)
    assert Checkup.objects.get().at > first.at
    assert Checkup.objects.get().checked == 1


def test_without_a_broker_tasks_run_inline(client):
    assert part(client, "broker")["detail"].startswith("inline")


def test_a_broker_that_is_away_or_silent_is_told(client, settings):
    from helpcenter.celery import app

    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port in (free_port(), silent.getsockname()[1]):
            settings.CELERY_BROKER_URL = f"redis://:hushhush@127.0.0.1:{port}/0"
            app.conf.broker_url = app.conf.broker_write_url = settings.CELERY_BROKER_URL
            try:
                found = ask(client)
            finally:
                app.conf.broker_url, app.conf.broker_write_url = "", "memory://localhost/"
            assert found["parts"]["broker"]["state"] in {"degraded", "broken"}
            assert found["state"] == "degraded"  # questions and edits do without it
            assert "hushhush" not in json.dumps(found)


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server on this machine")
def test_a_broker_that_is_there_is_told(client, settings, tmp_path):
    from helpcenter.celery import app

    port = free_port()
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path), "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{port}/0"
    app.conf.broker_url = app.conf.broker_write_url = settings.CELERY_BROKER_URL
    try:
        wait_until(
            lambda: part(client, "broker") == {"state": "ok", "detail": "reachable"},
            seconds=120,
            what="the broker is reachable",
        )
    finally:
        app.conf.broker_url, app.conf.broker_write_url = "", "memory://localhost/"
        server.terminate()
        server.wait(10)
