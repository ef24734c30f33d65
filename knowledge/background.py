"""Work that takes seconds, done in a thread of its own while those who need its result wait for a bounded time.

Promise: in a process that answers visitors nobody waits longer than he said, counted from when the work began, so that
a question that needs it several times waits once; the work goes on, and whoever comes later finds it done. Commands and
tasks wait until it is done: a whole answer is worth more to them. Refuses to decide what is done without it.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Result = TypeVar("Result")

_visitors_wait = False


def declare_visitors() -> None:
    """This process answers people who wait."""
    global _visitors_wait
    _visitors_wait = True


def do_visitors_wait() -> bool:
    return _visitors_wait


class Background(Generic[Result]):
    """Begins at once."""

    def __init__(self, name: str, work: Callable[[], Result], *, began_at: float | None = None) -> None:
        """`began_at` (monotonic): where another thread has been at it already, and this one will wait for it."""
        self.began_at = began_at or time.monotonic()
        self._outcome: Future[Result] = Future()
        threading.Thread(target=self._do, args=(work,), name=name, daemon=True).start()

    @property
    def is_done(self) -> bool:
        return self._outcome.done()

    def within(self, seconds: float) -> Result:
        """The result, `seconds` after the beginning at the latest. Raises TimeoutError, or what the work raised."""
        left = max(0.0, self.began_at + seconds - time.monotonic())
        return self._outcome.result(timeout=left if _visitors_wait else None)

    def _do(self, work: Callable[[], Result]) -> None:
        try:
            self._outcome.set_result(work())
        except BaseException as error:
            self._outcome.set_exception(error)
