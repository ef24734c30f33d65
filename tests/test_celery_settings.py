"""The queue loses nothing and runs nothing twice at once: settings that only together say so."""

import itertools
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connection
from kombu.exceptions import OperationalError

from helpcenter.celery import app
from knowledge import bell
from knowledge.outbox import LEASE
from tests.processes import ROOT, environment, free_port, manage

CELERY = str(Path(sys.executable).with_name("celery"))
# Of a retry: what the tasks name themselves, or else what Celery would wait at most.
CELERYS_LONGEST_BACKOFF_SECONDS = 600
RING = """
import os, time; os.environ["DJANGO_SETTINGS_MODULE"] = "helpcenter.settings"
import django; django.setup()
from kombu.exceptions import OperationalError
from knowledge.tasks import sync_article_task
for attempt in range(2):
    try:
        sync_article_task.delay(1)
    except OperationalError:
        print("refused", flush=True)
"""


@pytest.fixture(scope="module")
def tasks():
    app.loader.import_default_modules()
    ours = {name: task for name, task in app.tasks.items() if name.startswith(("knowledge.", "assistant."))}
    assert len(ours) >= 4
    return ours


def test_a_task_belongs_to_the_queue_until_it_is_done():
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.worker_pool == "prefork"  # the only pool whose tasks can be ended


def test_no_result_is_kept(tasks):
    assert app.conf.task_ignore_result and not app.conf.result_backend
    assert all(task.ignore_result for task in tasks.values())


def test_every_task_has_time_limits_and_a_moment_between_them(tasks):
    for name, task in tasks.items():
        hard, soft = _limits(task)
        assert 0 < soft < hard, name


def _limits(task):
    return (
        task.time_limit or app.conf.task_time_limit,
        task.soft_time_limit or app.conf.task_soft_time_limit,
    )


def test_nothing_is_given_to_a_second_worker_while_the_first_is_at_it(tasks):
    """A retry waits for its countdown, then for a process behind the longest task, and then runs."""
    countdown = max(
        CELERYS_LONGEST_BACKOFF_SECONDS,
        *(getattr(task, "retry_backoff_max", 0) for task in tasks.values()),
        *(task.default_retry_delay for task in tasks.values()),
    )
    longest = max(app.conf.task_time_limit, *(_limits(task)[0] for task in tasks.values()))
    assert app.conf.broker_transport_options["visibility_timeout"] > countdown + longest + longest


def test_what_beat_rings_for_exists_and_does_not_pile_up(tasks):
    assert app.conf.beat_schedule
    for name, entry in app.conf.beat_schedule.items():
        assert entry["task"] in tasks, name
        assert 0 < entry["options"]["expires"] <= entry["schedule"], name


def test_without_a_broker_tasks_run_where_they_are_rung():
    assert app.conf.task_always_eager


@pytest.mark.parametrize("kind", ["nobody", "silence"])
def test_a_broker_that_is_away_costs_moments_and_is_said(tmp_path, kind):
    """Nobody listens, or somebody does and never says a word (a stopped Redis, a firewall)."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1] if kind == "silence" else free_port()
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", RING],
            cwd=ROOT,
            env=environment(
                tmp_path, CELERY_BROKER_URL=f"redis://127.0.0.1:{port}/0", CHROMA_URL="http://127.0.0.1:1"
            ),
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.stdout.split() == ["refused", "refused"], done.stderr
        assert time.monotonic() - started < 60  # Redis' own client would wait for ever


@pytest.mark.parametrize("program", ["worker", "beat"])
def test_worker_and_beat_refuse_settings_that_damage_the_index(tmp_path, program):
    done = subprocess.run(
        [CELERY, "--app=helpcenter", program],
        cwd=ROOT,
        env=environment(tmp_path, CELERY_BROKER_URL=f"redis://127.0.0.1:{free_port()}/0"),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode != 0
    assert "CELERY_BROKER_URL is set but CHROMA_URL is not" in done.stderr
    assert "run `chroma run`" in done.stderr


@pytest.mark.parametrize("processes", ["1", "2"])
def test_several_web_processes_need_a_chroma_server(tmp_path, processes):
    refused = manage(tmp_path, "check", WEB_CONCURRENCY=processes)
    assert ("helpcenter.E005" in refused.stderr) == (processes == "2")
    assert (refused.returncode != 0) == (processes == "2")
    shared = manage(tmp_path, "check", WEB_CONCURRENCY=processes, CHROMA_URL="http://127.0.0.1:8001")
    assert shared.returncode == 0, shared.stderr


def test_database_waits_end_before_a_visitor_gives_up(tmp_path):
    """Ten seconds are what a request may take at most."""
    code = "from django.conf import settings; d = settings.DATABASES['default']; print(d['OPTIONS'], d)"
    lite = manage(tmp_path, "shell", "-v", "0", "-c", code)
    assert "'transaction_mode': 'IMMEDIATE'" in lite.stdout and "'timeout': 5" in lite.stdout
    server = manage(tmp_path, "shell", "-v", "0", "-c", code, DATABASE_URL="postgres://a@127.0.0.1:1/b")
    assert "'CONN_HEALTH_CHECKS': True" in server.stdout and "'timeout': 5" in server.stdout
    assert "'reconnect_timeout': 5" in server.stdout
    assert "-c lock_timeout=5s" in server.stdout


@pytest.mark.django_db
def test_readers_of_sqlite_go_on_while_somebody_writes():
    if connection.vendor != "sqlite":
        pytest.skip("SQLite only")
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_options_of_the_address_stay(tmp_path):
    address = "postgres://a@127.0.0.1:1/b?options=-c%20search_path%3Dhelp"
    code = "from django.conf import settings; print(settings.DATABASES['default']['OPTIONS']['options'])"
    shown = manage(tmp_path, "shell", "-v", "0", "-c", code, DATABASE_URL=address)
    assert shown.stdout.strip() == "-c search_path=help -c lock_timeout=5s", shown.stderr


def test_parent_of_worker_processes_loads_neither_torch_nor_chroma(tmp_path):
    """All that it does before the fork: settings, tasks, checks."""
    code = (
        "import sys\n"
        "from helpcenter.celery import app, refuse_settings_that_disagree\n"
        "app.loader.import_default_modules()\n"
        "refuse_settings_that_disagree()\n"
        "print(sorted({'torch', 'sentence_transformers', 'chromadb', 'onnxruntime'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(
            tmp_path, CELERY_BROKER_URL="redis://127.0.0.1:1/0", CHROMA_URL="http://127.0.0.1:8001"
        ),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr


def test_what_a_killed_process_had_in_hand_is_taken_up_in_time():
    """Its leases run out, the sweep comes, and what the index kept or lost is noticed: within fifteen seconds."""
    schedule = app.conf.beat_schedule
    waits = (LEASE.total_seconds(), schedule["sweep"]["schedule"], schedule["compare-index"]["schedule"])
    assert sum(waits) <= 12.0


class Unreachable:
    """A task whose broker is away."""

    class app:  # noqa: N801 (as Celery calls it)
        class conf:  # noqa: N801
            task_always_eager = False

    def __init__(self) -> None:
        self.calls = 0

    def delay(self, argument: object) -> None:
        self.calls += 1
        raise OperationalError("nobody there")


def test_of_a_broker_that_is_away_one_caller_finds_out_for_all(caplog):
    task = Unreachable()
    for number in range(5):
        bell.send(task, number, about=f"article {number}")
    assert task.calls == 1
    assert "article 0: the broker cannot be reached, the sweep will find it" in caplog.text
    assert "article 4: the broker is left alone for a moment, the sweep will find it" in caplog.text


def test_a_worker_looks_for_its_broker_every_two_seconds_however_long_it_was_away(tmp_path):
    values = {
        "CELERY_BROKER_URL": f"redis://127.0.0.1:{free_port()}/0",
        "CHROMA_URL": "http://127.0.0.1:1",
        "PYTHONUNBUFFERED": "1",
    }
    worker = subprocess.Popen(
        [CELERY, "--app=helpcenter", "worker", "--pool=solo", "--loglevel=ERROR"],
        cwd=ROOT,
        env=environment(tmp_path, **values),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert worker.stderr is not None
        lines = (line for line in worker.stderr if "Trying again in" in line)
        tries = list(itertools.islice(lines, 5))
    finally:
        worker.kill()
        worker.wait()
    assert [line.split("Trying again in ")[1].split(" second")[0] for line in tries] == [
        *("1.00", "2.00", "2.00", "2.00", "2.00")
    ]
