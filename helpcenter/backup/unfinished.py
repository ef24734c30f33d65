"""What a backup or a restore writes before it is done, and what a killed one has left.

Promise: nothing of it outlives the next backup or restore; what another process is still at is left alone, on whichever
machine or in whichever container it runs, as long as its file system knows locks.
"""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from filelock import lock_descriptor

BACKUP, RESTORE = ".backup-", ".restore-"
_YOUNG_SECONDS = 60.0  # it may have been made a moment ago and not be locked yet


@contextlib.contextmanager
def folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A folder beside others of its kind, mode 0700; gone in the end."""
    _remove_leftovers(parent)
    with tempfile.TemporaryDirectory(dir=parent, prefix=prefix) as name, _held(Path(name)):
        yield Path(name)


@contextlib.contextmanager
def file(parent: Path, prefix: str) -> Iterator[tuple[Path, IO[bytes]]]:
    """The same for a file, mode 0600, open for writing; one that was renamed meanwhile stays."""
    _remove_leftovers(parent)
    descriptor, name = tempfile.mkstemp(dir=parent, prefix=prefix)
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as opened, _held(path):
            yield path, opened
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _held(path: Path) -> Iterator[bool]:
    """Whether it is ours, by a lock that ends with this process."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield bool(lock_descriptor(descriptor, blocking=False))
    finally:
        os.close(descriptor)


def _remove_leftovers(parent: Path) -> None:
    for path in [*parent.glob(f"{BACKUP}*"), *parent.glob(f"{RESTORE}*")]:
        with contextlib.suppress(OSError):  # somebody else was faster, or it is not ours to remove
            if time.time() - path.stat().st_mtime < _YOUNG_SECONDS:
                continue
            with _held(path) as is_ours:
                if is_ours and path.is_dir():
                    shutil.rmtree(path)
                elif is_ours:
                    path.unlink()
