"""Work that only one process should do at a time, on however many machines they are.

Promise: a turn ends when its holder does, however that ends. It is a lock of a PostgreSQL session, or, beside
SQLite's file, of the operating system: no lease that runs out too early or holds up those who come after a
killed one, and no clock.

Refuses to decide: what happens where it is somebody else's turn. Nothing here is needed for correctness of what
is claimed row by row; it keeps two from doing the same work, or from taking the same collection apart.
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from enum import StrEnum

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, connection, connections
from filelock import lock_descriptor

_POLL_SECONDS = 0.1


class Turn(StrEnum):
    SWEEP = "sweep"  # embedding what nobody was told about
    REPAIR = "repair"  # collections of the index
    SETTLE = "settle"  # questions that were cut off
    MAILBOX = "mailbox"  # fetching mails


@contextlib.contextmanager
def our_turn(turn: Turn, *, patience_seconds: float = 0.0) -> Iterator[bool]:
    """Whether it is ours, until the block ends; False where somebody else keeps it beyond our patience."""
    with contextlib.ExitStack() as held:
        of_server = connection.vendor == "postgresql"
        take = _lock_of_session(turn, held) if of_server else _lock_of_file(turn, held)
        deadline = time.monotonic() + patience_seconds
        while not (is_ours := take()) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        yield is_ours


def _lock_of_session(turn: Turn, held: contextlib.ExitStack) -> Callable[[], bool]:
    """In a session of its own: that of the thread is given back whenever a model is at work."""
    number = int.from_bytes(hashlib.sha256(f"helpcenter {turn}".encode()).digest()[:8], "big", signed=True)
    session = connections.create_connection(DEFAULT_DB_ALIAS)
    held.callback(session.close)

    def ask(function: str) -> bool:
        with session.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s)", [number])
            return bool(cursor.fetchone()[0])

    def release() -> None:
        # Sessions come from a pool and go back to it. One that was cut has lost the lock by itself.
        with contextlib.suppress(DatabaseError, InterfaceError):
            ask("pg_advisory_unlock")

    def take() -> bool:
        is_ours = ask("pg_try_advisory_lock")
        if is_ours:
            held.callback(release)
        return is_ours

    return take


def _lock_of_file(turn: Turn, held: contextlib.ExitStack) -> Callable[[], bool]:
    path = settings.DATA_DIR / f"{turn}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    held.callback(os.close, descriptor)
    return lambda: lock_descriptor(descriptor, blocking=False)
