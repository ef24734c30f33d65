"""The whole help center as real processes, in both of its shapes, and what can be done to them.

`serve`: one machine, SQLite, the folder of the index. `parts`: PostgreSQL, Redis, a Chroma server, a worker, beat
and a web server, with the commands of compose.yaml. The Redis is our own, so that it can be stopped.
"""

import contextlib
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests import composed
from tests.processes import ROOT, environment, free_port, get, wait_until

_START_SECONDS = 120.0


class Shape(StrEnum):
    SERVE = "serve"
    PARTS = "parts"


class Stack:
    """Started as a whole; each process by its name can be killed, stopped, and started again."""

    def __init__(self, shape: Shape, data_dir: Path, values: Mapping[str, str]) -> None:
        self.shape = shape
        self.data_dir = data_dir
        self.port = free_port()
        self.values = dict(values)
        self._commands: dict[str, Sequence[str]] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        if shape == Shape.SERVE:
            serve = [sys.executable, "manage.py", "serve", "--port", str(self.port), "--threads", "8"]
            self._commands = {"serve": serve}
        else:
            self._commands = self._parts()

    def start(self) -> None:
        for name in self._commands:
            self.start_one(name)
            if name == "redis":
                _wait_for_port(int(self.values["CELERY_BROKER_URL"].rsplit(":", 1)[1].split("/")[0]))
        self.wait_until_it_answers()

    def wait_until_it_answers(self) -> None:
        """AssertionError at once where a process has ended: its log is in the folder."""
        wait_until(self._answers, seconds=_START_SECONDS, what=f"{self.shape} answers")

    def stop(self) -> None:
        for name in reversed(list(self._processes)):
            process = self._processes[name]
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill(name)

    def start_one(self, name: str) -> None:
        log = (self.data_dir / f"{name}.log").open("ab")
        with log:
            self._processes[name] = subprocess.Popen(
                self._commands[name],
                cwd=ROOT,
                env=environment(self.data_dir, **self.values),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that it can be killed with all that it forked
            )

    def kill(self, name: str) -> None:
        """With all that it forked, as when a machine loses its power."""
        os.killpg(self._processes[name].pid, signal.SIGKILL)
        self._processes[name].wait()

    def signal(self, name: str, number: signal.Signals) -> None:
        os.killpg(self._processes[name].pid, number)

    def pids(self, words: str) -> list[int]:
        """Processes of this site whose command line holds `words`, wherever in the tree, the oldest first.

        By their start: ids begin anew when they have reached the system's highest.
        """
        found: list[tuple[int, int]] = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                own = f"DATA_DIR={self.data_dir}\0".encode() in (entry / "environ").read_bytes()
                if own and words in line:
                    started = int(
                        (entry / "stat").read_text().rpartition(")")[2].split()[19]
                    )  # field 22, in ticks
                    found.append((started, int(entry.name)))
        return [pid for _started, pid in sorted(found)]

    def _answers(self) -> bool:
        for name, process in self._processes.items():
            assert process.poll() is None, (self.data_dir / f"{name}.log").read_text()[-2000:]
        try:
            # `serve` listens before it can answer quickly; the others have a model to load as well.
            return '"embedding_model": {"state": "ok", "detail": "loaded"' in get(
                f"http://127.0.0.1:{self.port}/readyz", timeout=5
            ) and bool(get(f"http://127.0.0.1:{self.port}/en/search/?q=voucher", timeout=60))
        except OSError:
            return False

    def _parts(self) -> dict[str, Sequence[str]]:
        chroma, broker = free_port(), free_port()
        self.values |= {
            "CHROMA_URL": f"http://127.0.0.1:{chroma}",
            "CELERY_BROKER_URL": f"redis://127.0.0.1:{broker}/0",
            "HOSTNAME": socket.gethostname(),
            "WEB_CONCURRENCY": "2",
        }
        filled = {**composed.FILLED_IN, "LOG_LEVEL": "WARNING"}
        chroma_here = {"0.0.0.0": "127.0.0.1", "8000": str(chroma), "/index": str(self.data_dir / "index")}
        web_here = {"0.0.0.0:8000": f"127.0.0.1:{self.port}"}
        redis = ["redis-server", "--port", str(broker), "--bind", "127.0.0.1", "--save", ""]
        return {
            "redis": [*redis, "--dir", str(self.data_dir)],
            "chroma": composed.command("chroma", filled, chroma_here),
            "worker": composed.command("worker", filled, {}),
            "beat": composed.command("beat", filled, {}),
            "web": composed.command("web", filled, web_here),
        }


# --- faults -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    name: str
    shapes: Sequence[Shape]
    seconds: float  # that it lasts
    happens: Callable[[Stack], contextlib.AbstractContextManager[None]]
    is_of_the_web: bool = False  # requests may be cut off or refused; otherwise none may
    is_of_a_model: bool = False  # a new process has to load the model, which takes what the cores allow


@contextmanager
def _nothing(stack: Stack) -> Iterator[None]:
    yield


@contextmanager
def _vector_server_killed(stack: Stack) -> Iterator[None]:
    if stack.shape == Shape.PARTS:
        stack.kill("chroma")
        yield
        stack.start_one("chroma")
    else:
        os.kill(stack.pids("chroma run")[-1], signal.SIGKILL)
        yield


@contextmanager
def _vector_server_stopped(stack: Stack) -> Iterator[None]:
    pid = stack.pids("chroma run")[-1]
    os.kill(pid, signal.SIGSTOP)
    yield
    os.kill(pid, signal.SIGCONT)


@contextmanager
def _folder_deleted(stack: Stack) -> Iterator[None]:
    shutil.rmtree(stack.data_dir / "index", ignore_errors=True)
    yield


@contextmanager
def _half_cut_off(stack: Stack) -> Iterator[None]:
    file = stack.data_dir / "index" / "chroma.sqlite3"
    os.truncate(file, file.stat().st_size // 2)
    yield


@contextmanager
def _random_bytes(stack: Stack) -> Iterator[None]:
    file = stack.data_dir / "index" / "chroma.sqlite3"
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.seek(size // 3)
        opened.write(random.Random(size).randbytes(size // 3))
    yield


@contextmanager
def _web_killed(stack: Stack) -> Iterator[None]:
    os.kill(stack.pids("gunicorn")[-1], signal.SIGKILL)  # the youngest: one of those who answer requests
    yield


@contextmanager
def _serve_killed(stack: Stack) -> Iterator[None]:
    stack.kill("serve")
    stack.start_one("serve")
    stack.wait_until_it_answers()
    yield


@contextmanager
def _locked(stack: Stack) -> Iterator[None]:
    with closing(sqlite3.connect(stack.data_dir / "db.sqlite3", isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def _redis_stopped(stack: Stack) -> Iterator[None]:
    stack.signal("redis", signal.SIGSTOP)
    yield
    stack.signal("redis", signal.SIGCONT)


@contextmanager
def _redis_killed(stack: Stack) -> Iterator[None]:
    """Its queue is lost with it."""
    stack.kill("redis")
    yield
    stack.start_one("redis")


@contextmanager
def _worker_killed(stack: Stack) -> Iterator[None]:
    stack.kill("worker")
    yield
    stack.start_one("worker")


@contextmanager
def _task_killed(stack: Stack) -> Iterator[None]:
    for pid in stack.pids("helpcenter worker")[1:]:  # the first is the one that starts the others
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    yield


_SERVE, _PARTS = (Shape.SERVE,), (Shape.PARTS,)
_BOTH = (Shape.SERVE, Shape.PARTS)

FAULTS = (
    Fault("none", _BOTH, 0.0, _nothing),
    Fault("vector server killed", _BOTH, 3.0, _vector_server_killed),
    Fault("vector server stopped (SIGSTOP, 8 s)", _BOTH, 8.0, _vector_server_stopped),
    Fault("index folder deleted", _SERVE, 1.0, _folder_deleted),
    Fault("half of the index's tables cut off", _SERVE, 1.0, _half_cut_off),
    Fault("random bytes in the index's tables", _SERVE, 1.0, _random_bytes),
    Fault("database locked for 3 s", _SERVE, 3.0, _locked),
    Fault("database locked for 30 s", _SERVE, 30.0, _locked, is_of_the_web=True),
    Fault("web process killed", _BOTH, 1.0, _web_killed, is_of_the_web=True, is_of_a_model=True),
    Fault(
        "serve killed and started again", _SERVE, 1.0, _serve_killed, is_of_the_web=True, is_of_a_model=True
    ),
    Fault("Redis stopped (SIGSTOP, 10 s)", _PARTS, 10.0, _redis_stopped),
    Fault("Redis killed, with its queue", _PARTS, 5.0, _redis_killed),
    Fault("worker killed", _PARTS, 3.0, _worker_killed, is_of_a_model=True),
    Fault("worker processes killed at their tasks", _PARTS, 1.0, _task_killed, is_of_a_model=True),
)


def _wait_for_port(port: int) -> None:
    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(listens, seconds=30, what=f"something listens on {port}")
    time.sleep(0.1)
