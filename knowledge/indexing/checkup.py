"""When the index was last compared with the database, and what its canaries said: for whoever asks how things are.

Promise: written in one step beside the index folder, so that every process with this DATA_DIR reads the same;
a disk that is full or a file that is broken only means that nothing is known.

Refuses to decide: anything. No repair depends on what is written here.
"""

import contextlib
import json
import os
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.utils import timezone


@dataclass(frozen=True)
class Checkup:
    at: datetime
    canaries_at: datetime | None = None  # passages were last asked to find themselves
    checked: int = 0  # of them then
    failed: int = 0  # after everything that could be mended was


def write_checkup(*, checked: int, failed: int, asked: bool) -> None:
    """`asked`: there were canaries this time; otherwise the last ones stand."""
    now = timezone.now()
    if asked:
        known = Checkup(now, now, checked, failed)
    else:
        last = read_checkup() or Checkup(now)
        known = Checkup(now, last.canaries_at, last.checked, last.failed)
    record = {
        "at": known.at.isoformat(),
        "canaries_at": known.canaries_at.isoformat() if known.canaries_at else None,
        "checked": known.checked,
        "failed": known.failed,
    }
    path = _path()
    with contextlib.suppress(OSError):
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(descriptor, "w") as file:
                json.dump(record, file)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise


def read_checkup() -> Checkup | None:
    try:
        record = json.loads(_path().read_text())
        canaries_at = record["canaries_at"]
        return Checkup(
            at=datetime.fromisoformat(record["at"]),
            canaries_at=datetime.fromisoformat(canaries_at) if canaries_at else None,
            checked=int(record["checked"]),
            failed=int(record["failed"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _path() -> Path:
    folder: Path = settings.INDEX_DIR
    return folder.with_name(folder.name + ".checkup.json")
