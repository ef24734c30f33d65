"""What guards this one process, in memory: its threads, its processor and the database behind it.

It shares nothing with other processes and stores nothing: two web processes may work for a client twice as much.
What is worth an exact count is counted in `budgets`. All of it is bounded: memory does not grow with the number
of clients.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from assistant.abuse.budgets import Rate, Refusal

_CLIENTS_KEPT = 20_000


class RequestGuard:
    """The algorithm of `budgets` in memory, for what must cost next to nothing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait_seconds(self, client: str, rate: Rate | None) -> float:
        """0 and one is taken, or how long until there is one."""
        if rate is None:
            return 0.0
        now = self._clock()
        with self._lock:
            if len(self._full_at) >= _CLIENTS_KEPT:
                self._forget(now)
            full_at = max(self._full_at.get(client, now), now) + rate.share_seconds
            wait = full_at - now - rate.period_seconds
            if wait > rate.share_seconds * 1e-3:
                return wait
            self._full_at[client] = full_at
        return 0.0

    def forget(self) -> None:
        self._full_at.clear()

    def _forget(self, now: float) -> None:
        self._full_at = {client: full_at for client, full_at in self._full_at.items() if full_at > now}
        if len(self._full_at) >= _CLIENTS_KEPT:
            self._full_at.clear()  # many addresses at once: the site's budgets are what holds then


class KnownRefusals:
    """Refusals that stand until a known moment. Asking the database again would be answered the same."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, tuple[float, Refusal]] = {}

    def remember(self, key: str, refusal: Refusal) -> None:
        if len(self._until) >= _CLIENTS_KEPT:
            self._until.clear()
        self._until[key] = (self._clock() + refusal.wait_seconds, refusal)

    def forget(self) -> None:
        self._until.clear()

    def find(self, key: str) -> Refusal | None:
        """With the seconds that are left of it."""
        until, refusal = self._until.get(key, (0.0, None))
        left = until - self._clock()
        if refusal is None or left <= 0:
            self._until.pop(key, None)
            return None
        return replace(refusal, wait_seconds=left)


class Slots:
    """How many of one client's questions are worked on at the same time."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}
        self._lock = threading.Lock()

    def take(self, client: str, limit: int) -> bool:
        with self._lock:
            taken = self._taken.get(client, 0)
            if taken >= limit:
                return False
            self._taken[client] = taken + 1
        return True

    def free(self, client: str) -> None:
        with self._lock:
            left = self._taken[client] - 1
            if left:
                self._taken[client] = left
            else:
                del self._taken[client]
