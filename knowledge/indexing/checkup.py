"""When the index was last compared with the database, and what its canaries said: for whoever asks how things are.

Promise: one row, so that every process of every machine reads the same.

Refuses to decide: anything. No repair depends on what is written here.
"""

from datetime import timedelta

from django.utils import timezone

from knowledge.models import Checkup

_ROW = 1
_WORTH_WRITING = timedelta(seconds=20)  # comparisons come every few seconds, and SQLite has one writer


def write_checkup(*, checked: int, failed: int, asked: bool) -> None:
    """`asked`: there were canaries this time; otherwise the last ones stand."""
    now = timezone.now()
    values: dict[str, object] = {"at": now}
    if asked:
        values |= {"canaries_at": now, "checked": checked, "failed": failed}
    elif Checkup.objects.filter(pk=_ROW, at__gt=now - _WORTH_WRITING, at__lte=now).exists():
        return
    Checkup.objects.update_or_create(pk=_ROW, defaults=values)


def read_checkup() -> Checkup | None:
    return Checkup.objects.filter(pk=_ROW).first()
