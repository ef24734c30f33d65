"""A thread of the web process of `serve` that does one thing every few seconds. With a broker, beat rings instead.

Each is a thread of its own, so that a server of somebody else that does not answer holds up nothing but itself.
"""

import logging
import threading
from collections.abc import Callable

from django.db import InterfaceError, OperationalError, close_old_connections

log = logging.getLogger(__name__)

_LONGEST_PAUSE_SECONDS = 30.0  # after failures


class Round(threading.Thread):
    def __init__(self, name: str, work: Callable[[], object], *, every_seconds: float) -> None:
        super().__init__(name=name, daemon=True)
        self._work = work
        self._every_seconds = every_seconds
        self._stopped = threading.Event()

    def stop(self, timeout_seconds: float) -> None:
        self._stopped.set()
        self.join(timeout_seconds)

    def run(self) -> None:
        failures = 0
        while not self._stopped.is_set():
            try:
                self._work()
                failures = 0
            except (OperationalError, InterfaceError) as error:
                failures += 1
                log.warning("%s: %s", self.name, error)
            except Exception:
                # A thread that died silently would leave its work undone for good.
                failures += 1
                log.exception("%s failed", self.name)
            finally:
                close_old_connections()
            pause = min(self._every_seconds * 2.0**failures, max(_LONGEST_PAUSE_SECONDS, self._every_seconds))
            self._stopped.wait(pause)
