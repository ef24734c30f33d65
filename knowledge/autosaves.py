"""What somebody has typed and not saved, kept in the database until it is.

Promise: nothing typed is lost with a window, a session or a machine, and nothing stored is overwritten by it: it is
offered to its writer, who decides. Two windows keep two texts.
"""

from datetime import timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from knowledge.models import Article, Autosave

FIELDS: Final = (
    "title",
    "slug",
    "body",
    "language",
    "translation_group",
    "category",
    "audience",
    "labels",
    "seen",
)
MOST_CHARACTERS: Final = 2_000_000  # of all fields; the form itself takes no more
_KEPT: Final = timedelta(days=30)
_MOST_WINDOWS: Final = 20  # of one person


def autosave(*, user: User, article: Article | None, window: str, fields: dict[str, str]) -> Autosave:
    """Replaces what this window sent before. Raises ValueError where it is no form of an article."""
    kept = {name: value for name, value in fields.items() if name in FIELDS}
    if not window or len(window) > 36 or sum(map(len, kept.values())) > MOST_CHARACTERS:
        raise ValueError("no form of an article")
    with transaction.atomic():
        saved, is_new = Autosave.objects.update_or_create(
            user=user, window=window, defaults={"article": article, "fields": kept}
        )
        if is_new:
            _tidy(user)
    return saved


def offered(*, user: User, article: Article | None) -> list[Autosave]:
    """The latest first."""
    return list(Autosave.objects.filter(user=user, article=article).order_by("-saved_at", "-pk")[:3])


def forget(*, user: User, window: str) -> None:
    """Saved, or not wanted."""
    Autosave.objects.filter(user=user, window=window).delete()


def _tidy(user: User) -> None:
    mine = Autosave.objects.filter(user=user)
    mine.filter(saved_at__lt=timezone.now() - _KEPT).delete()
    old = list(mine.order_by("-saved_at", "-pk").values_list("pk", flat=True)[_MOST_WINDOWS:])
    mine.filter(pk__in=old).delete()
