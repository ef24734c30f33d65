"""How often articles are read: a number an article and day, and nothing about whoever read.

Promise: a page that is read waits for no write. Views are counted in memory and written together a few seconds later,
from a thread of its own; a process that is killed loses the seconds since. No cookie, no address, no account: somebody
who reloads counts twice.

Refuses to decide who counts as a reader; `is_reader` says who surely is none.
"""

import logging
import re
import threading
from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from django.db import DatabaseError, IntegrityError, InterfaceError, connection, models, transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from knowledge import background

if TYPE_CHECKING:
    from knowledge.models import Article

log = logging.getLogger(__name__)

WRITTEN_AFTER_SECONDS: Final = 10.0
PERIOD: Final = timedelta(days=30)  # that figures compare with the one before
_MACHINES: Final = re.compile(
    r"bot\b|crawl|spider|slurp|preview|monitor|curl|wget|python-|headless", re.IGNORECASE
)


class ArticleViews(models.Model):
    article = models.ForeignKey(
        "knowledge.Article", on_delete=models.CASCADE, related_name="views", db_index=False
    )
    day = models.DateField(_("day"))
    count = models.PositiveIntegerField(_("views"))

    class Meta:
        verbose_name = _("views of a day")
        verbose_name_plural = _("views")
        constraints = [models.UniqueConstraint(fields=["article", "day"], name="article_views_once_a_day")]

    def __str__(self) -> str:
        return f"{self.article_id}, {self.day}: {self.count}"


def is_reader(request: HttpRequest) -> bool:
    """Not staff, not a program that says so, and not a browser that only fetches in advance."""
    purpose = request.headers.get("Sec-Purpose", "") + request.headers.get("Purpose", "")
    return (
        request.method == "GET"
        and "prefetch" not in purpose
        and not getattr(request.user, "is_staff", False)
        and not _MACHINES.search(request.headers.get("User-Agent", ""))
    )


def note_view(article: "Article") -> None:
    """Costs a dictionary entry. In a process that serves visitors it is written by itself; elsewhere call `write`."""
    with _guard:
        _noted[article.pk, timezone.localdate()] += 1
        if background.do_visitors_wait():
            _begin()


def write() -> int:
    """Adds what was noted to the rows; returns how many views. What a database that is away does not take is kept."""
    global _noted
    with _guard:
        noted, _noted = _noted, Counter()
    written = 0
    try:
        for (article_id, day), count in sorted(noted.items()):
            _add(article_id, day, count)
            written += count
            del noted[article_id, day]
    except (DatabaseError, InterfaceError) as error:
        log.warning("Views are written later: %s", error)
        with _guard:
            _noted.update(noted)
    return written


def forget() -> None:
    """What was noted and not written: of articles that are no more, such as those of another test."""
    with _guard:
        _noted.clear()


def _add(article_id: int, day: date, count: int) -> None:
    row = ArticleViews.objects.filter(article_id=article_id, day=day)
    if row.update(count=F("count") + count):
        return
    try:
        with transaction.atomic():
            ArticleViews.objects.create(article_id=article_id, day=day, count=count)
    except IntegrityError:
        row.update(count=F("count") + count)  # another process was first, or the article is gone


def _begin() -> None:
    """Under the guard."""
    global _timer
    if _timer is None:
        _timer = threading.Timer(WRITTEN_AFTER_SECONDS, _write_apart)
        _timer.daemon = True
        _timer.start()


def _write_apart() -> None:
    global _timer
    try:
        write()
    finally:
        connection.close()  # of this thread
        with _guard:
            _timer = None
            if _noted:
                _begin()


_noted: Counter[tuple[int, date]] = Counter()
_timer: threading.Timer | None = None
_guard = threading.Lock()
