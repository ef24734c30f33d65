"""Child processes that are kept running and never outlive their parent.

Promise: a child that ends is started again, later each time it fails; `stop` leaves nothing behind; when this
process is killed, the kernel ends its children (Linux), and elsewhere the folder's lock stays theirs.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO

_CRASHES = {-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGILL}  # return codes
_QUICK_SECONDS = 10.0  # a child that ends sooner than this counts as failing
_FIRST_PAUSE_SECONDS = 0.25  # doubled with every failure
_MAX_PAUSE_SECONDS = 30.0
_MAX_FAILURES = 6
_LAUNCHER = """\
import ctypes, os, signal, sys
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)  # the parent ended before the kernel was told
os.execv(sys.argv[2], sys.argv[2:])
"""


class ChildKeepsFailingError(Exception):
    """A child ended again and again right after its start. Somebody has to read what it said."""


class Child:
    """One supervised process. `command` is asked at every start, so that an argument may change."""

    def __init__(
        self,
        name: str,
        command: Callable[[], Sequence[str]],
        *,
        environment: Mapping[str, str] | None = None,
        descriptors: Sequence[int] = (),
        output: IO[bytes] | None = None,
    ) -> None:
        self.name = name
        self.failures = 0  # quick ends in a row
        self.crashes = 0  # ends by a fault of its own, however late
        self._command = command
        self._environment = {**os.environ, **(environment or {})}
        self._descriptors = tuple(descriptors)
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._next_start = 0.0

    @property
    def pid(self) -> int:
        """0 before the first start and after `stop`."""
        return self._process.pid if self._process is not None else 0

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        # A session of its own: Ctrl+C in the terminal reaches the parent alone, who stops children in order.
        self._process = subprocess.Popen(  # noqa: S603 (our own commands)
            _ending_with_us(self._command()),
            env=self._environment,
            pass_fds=self._descriptors,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
        )
        self._started = time.monotonic()

    def tend(self) -> bool:
        """Starts the child again where it has ended and its pause is over. True when it was started."""
        if self.is_running:
            if time.monotonic() - self._started > _QUICK_SECONDS:
                self.failures = 0
            return False
        now = time.monotonic()
        if self._process is not None:
            self.crashes += self._process.returncode in _CRASHES
            self._process = None
            self.failures = self.failures + 1 if now - self._started < _QUICK_SECONDS else 1
            if self.failures > _MAX_FAILURES:
                raise ChildKeepsFailingError(
                    f"{self.name} ended {self.failures} times right after its start; giving up."
                )
            self._next_start = now + min(_FIRST_PAUSE_SECONDS * 2 ** (self.failures - 1), _MAX_PAUSE_SECONDS)
        if now < self._next_start:
            return False
        self.start()
        return True

    def stop(self, grace_seconds: float) -> None:
        """Asks, waits, and then insists on the child and everything that it started."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(grace_seconds)
        with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _ending_with_us(command: Sequence[str]) -> list[str]:
    """The command behind a launcher that asks the kernel to end it with this process.

    Not a preexec_fn: after a fork, a process with threads may run next to nothing but exec.
    """
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command]
