"""The sweep inside the web process of `serve`: mails, dates, rules, interrupted questions, lost replays, budgets, gaps.

With a broker, beat rings instead.

It is a thread of its own: a mail server that does not answer holds up neither requests nor the index.
"""

import logging
import threading
import time

from django.db import InterfaceError, OperationalError, close_old_connections

from assistant import outbox
from assistant.abuse.budgets import forget_full_budgets
from assistant.desk.sweep import keep_the_rules
from assistant.interrupted import settle_interrupted
from assistant.whatif.running import resume_lost
from knowledge.dates import keep_dates

log = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0  # between two looks for mails; one look is one query that reads an index of the table
_LONGEST_PAUSE_SECONDS = 30.0  # after failures
_SETTLE_SECONDS = 15.0
_GAPS_SECONDS = 60.0  # only asks whether they are due; what is due has a thread of its own


class Sweeper(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="outbox", daemon=True)
        self._stopped = threading.Event()
        self._bell = threading.Event()
        self._failures = 0
        self._settle_due = 0.0
        self._gaps_due = (
            time.monotonic() + _GAPS_SECONDS
        )  # a process that has just begun has its model to load

    def stop(self, timeout_seconds: float) -> None:
        self._stopped.set()
        self._bell.set()
        self.join(timeout_seconds)

    def run(self) -> None:
        with outbox.rings(self._bell):
            while not self._stopped.is_set():
                self._bell.clear()
                try:
                    self._sweep()
                    self._failures = 0
                except (OperationalError, InterfaceError) as error:
                    self._failures += 1
                    log.warning("Sweep: %s", error)
                except Exception:
                    # A thread that died silently would leave every later mail unsent.
                    self._failures += 1
                    log.exception("Sweep failed")
                finally:
                    close_old_connections()
                self._bell.wait(min(_LOOK_SECONDS * 2.0**self._failures, _LONGEST_PAUSE_SECONDS))

    def _sweep(self) -> None:
        outbox.send_due()
        keep_dates()
        now = time.monotonic()
        if now >= self._settle_due:
            self._settle_due = now + _SETTLE_SECONDS
            settle_interrupted()
            keep_the_rules()
            resume_lost()
            forget_full_budgets()
        if now >= self._gaps_due:
            from assistant.gaps.refreshing import start_if_due

            self._gaps_due = now + _GAPS_SECONDS
            start_if_due()
