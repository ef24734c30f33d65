"""A broker that dies while a worker has a task in hand."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import is_listening
from tests.processes import ROOT, environment, free_port, manage, wait_until

pytestmark = [
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server on this machine"),
    pytest.mark.xdist_group("stack"),
]

SEND = "import sys; from tests.held_task import hold; hold.delay(*sys.argv[1:])"


@contextmanager
def redis(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with (folder / "redis.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: is_listening(port), seconds=30, what="Redis listens")
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_worker_outlives_the_broker_with_a_task_in_hand(tmp_path):
    port = free_port()
    values = {
        "CELERY_BROKER_URL": f"redis://127.0.0.1:{port}/0",
        "CHROMA_URL": f"http://127.0.0.1:{free_port()}",  # nobody asks it
    }
    assert manage(tmp_path, "migrate", "-v", "0").returncode == 0
    worker_log = tmp_path / "worker.log"
    command = [sys.executable, "-m", "celery", "--app=helpcenter", "worker", "--include=tests.held_task"]
    command += ["--pool=prefork", "--concurrency=2", "--loglevel=INFO"]

    def send(name: str) -> None:
        (tmp_path / name).touch()
        done = subprocess.run(
            [sys.executable, "-c", SEND, str(tmp_path), name], cwd=ROOT, env=environment(tmp_path, **values)
        )
        assert done.returncode == 0

    def has(name: str) -> None:
        wait_until(lambda: (tmp_path / name).exists(), seconds=60, what=name)

    with redis(tmp_path, port) as broker:
        with worker_log.open("wb") as log:
            worker = subprocess.Popen(
                command, cwd=ROOT, env=environment(tmp_path, **values), stdout=log, stderr=subprocess.STDOUT
            )
        try:
            send("first")
            has("first-begun")
            broker.kill()
            broker.wait()
            wait_until(
                lambda: "Connection to broker lost" in worker_log.read_text(),
                seconds=60,
                what="the worker noticed",
            )
            (tmp_path / "first").unlink()  # its end is to be told to a connection that is gone
            has("first-done")
            with redis(tmp_path, port):
                send("second")
                (tmp_path / "second").unlink()
                has("second-done")
            assert worker.poll() is None
        finally:
            worker.terminate()
            worker.wait(30)
    assert "Unrecoverable" not in worker_log.read_text()
