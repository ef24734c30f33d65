"""A circuit breaker: after a failure, nobody pays for the next one before a trial call has succeeded.

Promise: closed, every call goes through. A failure opens it, and calls are refused at once; when a pause is over,
one caller, and one alone, may try. Its success closes the breaker, its failure makes the pause longer. Safe
between threads, and untouched by a clock that is set.

Refuses to decide: what a failure is, and what is done instead. It makes no call and keeps no thread.
"""

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Breaker:
    def __init__(
        self,
        name: str,
        *,
        first_pause_seconds: float,
        longest_pause_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name  # for the log, at the start of a sentence
        self._first_pause_seconds = first_pause_seconds
        self._longest_pause_seconds = longest_pause_seconds
        self._clock = clock
        self._guard = threading.Lock()
        self._reason = ""  # of the last failure; empty while closed
        self._pause_seconds = first_pause_seconds
        self._next_trial = 0.0
        self._trial: Attempt | None = None

    @property
    def reason(self) -> str:
        """Why calls are refused; empty while they are not."""
        return self._reason

    def attempt(self) -> "Attempt | None":
        """Leave for one call, whose outcome has to be told; None while calls are refused."""
        with self._guard:
            if not self._reason:
                return Attempt(self, is_trial=False)
            if self._trial is not None or self._clock() < self._next_trial:
                return None
            self._trial = Attempt(self, is_trial=True)
            return self._trial

    def _settle(self, attempt: "Attempt", failure: str) -> None:
        with self._guard:
            if attempt.is_settled:
                return
            attempt.is_settled = True
            if attempt.is_trial:
                self._trial = None
            elif self._reason or not failure:
                return  # what was on its way when it opened says nothing new, nor does one more success
            was, self._reason = self._reason, failure
            grown = self._pause_seconds * 2 if was else self._first_pause_seconds
            self._pause_seconds = min(grown, self._longest_pause_seconds)
            self._next_trial = self._clock() + self._pause_seconds
        if not was:
            log.warning("%s is left alone for a while: %s", self.name, failure)
        elif not failure:
            log.warning("%s works again", self.name)


class Attempt:
    """Only what is told first counts."""

    def __init__(self, breaker: Breaker, *, is_trial: bool) -> None:
        self.is_trial = is_trial
        self.is_settled = False
        self._breaker = breaker

    def succeeded(self) -> None:
        self._breaker._settle(self, "")

    def failed(self, reason: str) -> None:
        self._breaker._settle(self, reason)
