"""The help center on one machine: the vector server, the web server, and the folder that they share.

Promise: one instance a DATA_DIR; what it prints as ready answers quickly; a child that ends comes back; after
`stop`, a signal or a kill no process is left.

Refuses to decide: anything about articles. This process loads neither the model nor chromadb; the web
process does.
"""

import errno
import http
import http.client
import json
import logging
import os
import select
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from django.utils.translation import gettext as _

from helpcenter.gunicorn_hooks import STATUS_VARIABLE
from helpcenter.supervision import Child, ChildKeepsFailingError
from knowledge import ownership
from knowledge.vectors.folders import set_folder_aside

log = logging.getLogger(__name__)

_LOOPBACK = "127.0.0.1"
_TICK_SECONDS = 0.5
_START_SECONDS = 120.0  # for a server to answer, and for the model to be loaded
_WEB_GRACE_SECONDS = 12.0  # requests in flight may finish
_VECTOR_GRACE_SECONDS = 5.0
_PORT_OF_KILLED_SERVE_SECONDS = 15.0
_MEMORY = Path("/dev/shm")  # noqa: S108 (gunicorn makes a nameless file in it and touches it at every event)
_MEMORY_OF_TWO_GB = 3.0  # two web processes take 1.3 GB with all that belongs to them; articles come on top
_MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")  # a container's own
_DAMAGED_AFTER_FAILURES = 3  # it does not start
_DAMAGED_AFTER_CRASHES = 2  # it starts, and a question ends it

Cancelled = Callable[[], bool]


class ServeError(Exception):
    """One sentence for the person who started `serve`."""


@dataclass(frozen=True)
class Options:
    host: str
    port: int
    processes: int  # of the web server; each loads the model
    threads: int  # requests that each answers at the same time
    index_folder: Path
    log_folder: Path
    runs_vector_server: bool  # False: CHROMA_URL names one


def fitting_processes() -> int:
    """Two where the machine carries them: what one client costs, the other's interpreter does not feel."""
    return 2 if _cores() > 1 and _memory_gb() >= _MEMORY_OF_TWO_GB else 1


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # those that this process may use; not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_gb() -> float:
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        allowed = int(_MEMORY_LIMIT.read_text())
    except (OSError, ValueError):  # no container, or "max"
        allowed = installed
    return min(installed, allowed) / 2**30


class VectorServer:
    """`chroma run` on loopback.

    It inherits the folder's lock: even when its parent was killed, the folder stays locked until it is gone.
    """

    def __init__(self, folder: Path, lock: ownership.FolderLock, output: IO[bytes]) -> None:
        self._folder = folder
        self._port = _free_port()
        self.child = Child("The vector server", self._command, descriptors=[lock.descriptor], output=output)

    @property
    def address(self) -> str:
        return f"http://{_LOOPBACK}:{self._port}"

    def tend(self) -> bool:
        """True when it was started anew, perhaps at another address."""
        if self.child.is_running and not (self._folder / "chroma.sqlite3").exists():
            log.warning("The index folder was deleted; the vector server starts with an empty one")
            self.child.stop(_VECTOR_GRACE_SECONDS)
            self.child.start()
            return True
        return self.child.tend()

    def wait(self, cancelled: Cancelled) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(_LOOPBACK, self._port, "/api/v2/heartbeat"):
            if cancelled():
                return
            if time.monotonic() > deadline:
                raise ServeError(_("The vector server does not answer; its log is DATA_DIR/log/chroma.log."))
            self.child.tend()
            time.sleep(0.05)

    def _command(self) -> Sequence[str]:
        if self.child.failures >= _DAMAGED_AFTER_FAILURES or self.child.crashes >= _DAMAGED_AFTER_CRASHES:
            self._set_folder_aside()
        if not _is_free(self._port):
            self._port = _free_port()
        self._folder.mkdir(parents=True, exist_ok=True)
        program = Path(sys.executable).with_name("chroma")
        address = ["--host", _LOOPBACK, "--port", str(self._port)]
        return [sys.executable, str(program), "run", "--path", str(self._folder), *address]

    def _set_folder_aside(self) -> None:
        self.child.crashes = 0
        set_folder_aside(self._folder)


class WebServer:
    """Gunicorn. The socket is ours, so that connections wait should all of it end and start again."""

    def __init__(self, options: Options, listener: socket.socket) -> None:
        self._options = options
        self._listener = listener
        self._status, status_for_child = os.pipe()
        os.set_blocking(self._status, False)
        self._heard = b""
        self.child = Child(
            "The web server",
            self._command,
            environment={STATUS_VARIABLE: str(status_for_child)},
            descriptors=[listener.fileno(), status_for_child],
        )

    def wait(self, cancelled: Cancelled) -> str:
        """Until the first question will be quick; returns what speaks against that, if anything."""
        deadline = time.monotonic() + _START_SECONDS
        while not cancelled():
            if time.monotonic() > deadline:
                return _("the model is still being loaded.")
            self.child.tend()
            readable, _w, _e = select.select([self._status], [], [], 0.1)
            if readable:
                self._heard += os.read(self._status, 65536)
            if b"\n" in self._heard:
                return str(json.loads(self._heard.split(b"\n")[0])["problem"])
        return ""

    def _command(self) -> Sequence[str]:
        return [
            *(sys.executable, "-m", "gunicorn", "helpcenter.wsgi:application"),
            *("--bind", f"fd://{self._listener.fileno()}"),
            *("--config", "python:helpcenter.gunicorn_hooks"),
            *("--worker-class", "gthread", "--workers", str(self._options.processes)),
            *("--threads", str(self._options.threads)),
            *("--timeout", "120", "--graceful-timeout", "10", "--backlog", "512"),
            *("--log-level", "warning", "--no-control-socket"),
            *(("--worker-tmp-dir", str(_MEMORY)) if _MEMORY.is_dir() else ()),
        ]


def run(options: Options, *, cancelled: Cancelled, say: Callable[[str], None]) -> None:
    """Serves until `cancelled`. Raises ServeError for what the person at the terminal has to know."""
    started = time.monotonic()
    previous = ownership.read_owner(options.index_folder)
    try:
        lock = ownership.acquire(options.index_folder, command="manage.py serve")
    except ownership.FolderIsOwned as error:
        raise ServeError(str(error)) from error
    children: list[tuple[Child, float]] = []
    try:
        was_killed = previous is not None and not previous.is_alive
        patience_seconds = _PORT_OF_KILLED_SERVE_SECONDS if was_killed else 0.0
        listener = _open_listener(options.host, options.port, patience_seconds)
        vectors = None
        if options.runs_vector_server:
            vectors = VectorServer(options.index_folder, lock, _log_file(options.log_folder))
            children.append((vectors.child, _VECTOR_GRACE_SECONDS))
            vectors.child.start()
        # Both start at once: until the vector server answers, visitors are answered without it.
        _announce(lock, vectors)
        web = WebServer(options, listener)
        children.insert(0, (web.child, _WEB_GRACE_SECONDS))
        web.child.start()
        if vectors is not None:
            vectors.wait(cancelled)
            _announce(lock, vectors)  # perhaps at another address by now
        problem = web.wait(cancelled)
        if not cancelled():
            _say_ready(say, options, vectors, problem, time.monotonic() - started)
        while not cancelled():
            time.sleep(_TICK_SECONDS)
            web.child.tend()
            if vectors is not None and vectors.tend():
                vectors.wait(cancelled)
                _announce(lock, vectors)
    except ChildKeepsFailingError as error:
        raise ServeError(str(error)) from error
    finally:
        for child, grace_seconds in children:
            child.stop(grace_seconds)
        lock.release()


def _announce(lock: ownership.FolderLock, vectors: VectorServer | None) -> None:
    address = vectors.address if vectors is not None else ""
    lock.announce(command="manage.py serve", address=address, sweeps=True)


def _say_ready(
    say: Callable[[str], None],
    options: Options,
    vectors: VectorServer | None,
    problem: str,
    seconds: float,
) -> None:
    shown = "localhost" if options.host in {"0.0.0.0", "::", _LOOPBACK} else options.host  # noqa: S104 (compared)
    site = f"http://{f'[{shown}]' if ':' in shown else shown}:{options.port}"
    say(_("Help center    %(address)s") % {"address": f"{site}/"})
    say(_("Admin          %(address)s") % {"address": f"{site}/admin/"})
    say(_("API            %(address)s") % {"address": f"{site}/api/v1/docs/"})
    if vectors is not None:
        say(_("Vector server  %(address)s (this machine only)") % {"address": vectors.address})
    if problem:
        say(_("Answers are slower or weaker than they could be: %(problem)s") % {"problem": problem})
    say(_("Ready after %(seconds).1f s. Ctrl+C stops everything.") % {"seconds": seconds})


def _open_listener(host: str, port: int, patience_seconds: float) -> socket.socket:
    """The web address, bound. A web server whose parent was killed needs a moment to let go of it.

    The web server begins to listen on it once it has loaded Django: until then visitors are told at once that
    nobody is there, instead of waiting for it.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            listener = socket.socket(family, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((host, port))
            return listener
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                if time.monotonic() < deadline:
                    time.sleep(0.1)
                    continue
                message = _("Port %(port)d on %(host)s is in use by another program; choose one with --port.")
            else:
                message = _("Cannot listen on %(host)s, port %(port)d: %(why)s.")
            values = {"host": host, "port": port, "why": error.strerror or str(error)}
            raise ServeError(message % values) from error


def _log_file(folder: Path) -> IO[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    return (folder / "chroma.log").open("wb")


def _free_port() -> int:
    with socket.create_server((_LOOPBACK, 0)) as probe:
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    try:
        with socket.create_server((_LOOPBACK, port)):
            return True
    except OSError:
        return False


def _answers(host: str, port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=1.0)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
