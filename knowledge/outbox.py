"""The outbox of the index is a part of the article's row; this says how it is read and written.

Promise: a stale article is always either waiting, in the hands of one sync, resting after a failure, or given
up after MAX_ATTEMPTS with its error. A claim is a lease in the row: whoever is killed blocks nobody for longer
than LEASE, and whoever outlives his lease costs at most a text embedded twice.

Only moments that have passed are stored, and one from the future counts as none. So a clock that is set back
or forward, by however much, holds nobody up. Where the database is asked, its clock is the one that counts.

Refuses to decide: what a sync does (`knowledge.indexing`), and which failures are the article's own. An outage
of the index or of the model is not, and is never counted here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import reduce
from operator import or_

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from knowledge.models import Article, Status

# Renewed while a sync is at work, every second or two. After a killed one this, a sweep (2 s) and its work have to fit
# into fifteen seconds; a sync that is slower than its lease costs a text embedded twice.
LEASE = timedelta(seconds=5)
MAX_ATTEMPTS = 5
_FIRST_PAUSE = timedelta(seconds=10)
_PAUSE_GROWTH = 4  # after four failures: 10 s, 40 s, 3 min, 11 min
_LONGEST_ERROR = 500  # characters, what the column holds


class Standing(StrEnum):
    """How an article stands with the index."""

    NOT_PUBLISHED = "not_published"
    ANSWERABLE = "ready"
    IN_HAND = "in_hand"  # a sync is at work on it
    WAITING = "waiting"
    FAILED = "error"  # and will be tried again by itself
    GIVEN_UP = "given_up"  # until it is edited, or somebody says `try_again`


@dataclass(frozen=True)
class Edition:
    """An article as one edit left it. What is done for it counts only while the row still is this."""

    article_id: int
    fingerprint: str
    changed_at: datetime  # tells an edit from a later one that came back to the same content

    def row(self) -> QuerySet[Article]:
        return Article.objects.filter(self._is_current())

    def claim(self, candidates: QuerySet[Article]) -> bool:
        """False where it is no longer among `candidates`, or somebody else is at it."""
        due = candidates.filter(self._is_current(), is_due())
        return bool(due.update(index_claimed_at=Now()))

    def renew(self) -> bool:
        """False where the article has changed. A lease that ran out is taken up again: slow work still ends."""
        return bool(self.row().update(index_claimed_at=Now()))

    def release(self) -> None:
        self.row().update(index_claimed_at=None)

    def fail(self, error: Exception) -> None:
        self.row().update(
            index_claimed_at=None,
            index_attempts=F("index_attempts") + 1,
            index_failed_at=Now(),
            index_error=f"{type(error).__name__}: {error}"[:_LONGEST_ERROR],
        )

    def _is_current(self) -> Q:
        return Q(pk=self.article_id, content_fingerprint=self.fingerprint, content_changed_at=self.changed_at)


def edition_of(article: Article) -> Edition:
    return Edition(article.pk, article.content_fingerprint, article.content_changed_at)


def pause_after(attempts: int) -> timedelta:
    """How long an article rests when it has failed so often."""
    return _FIRST_PAUSE * float(_PAUSE_GROWTH) ** (attempts - 1)


def is_due() -> Q:
    """What a sync may take in hand now, if it is stale."""
    resting = (
        Q(index_attempts=attempts) & _passed_within("index_failed_at", pause_after(attempts))
        for attempts in range(1, MAX_ATTEMPTS)
    )
    return Q(index_attempts__lt=MAX_ATTEMPTS) & ~reduce(or_, resting) & ~is_claimed()


def is_claimed() -> Q:
    """What a sync has in hand."""
    return _passed_within("index_claimed_at", LEASE)


def try_again(articles: QuerySet[Article]) -> int:
    """Forgets their failures, so that the next sweep takes them; returns how many had any."""
    return articles.filter(index_attempts__gt=0).update(
        index_attempts=0, index_failed_at=None, index_error=""
    )


def in_standing(standing: Standing, *, recipe: str) -> Q:
    """`recipe` is that of the generation that is asked about."""
    published = Q(status=Status.PUBLISHED)
    fresh = Q(pk__in=Article.objects.fresh(recipe).values("pk"))
    stale = published & ~fresh
    idle = stale & ~is_claimed()
    match standing:
        case Standing.NOT_PUBLISHED:
            return ~published
        case Standing.ANSWERABLE:
            return published & fresh
        case Standing.IN_HAND:
            return stale & is_claimed()
        case Standing.WAITING:
            return idle & Q(index_attempts=0)
        case Standing.FAILED:
            return idle & Q(index_attempts__gt=0, index_attempts__lt=MAX_ATTEMPTS)
        case Standing.GIVEN_UP:
            return idle & Q(index_attempts__gte=MAX_ATTEMPTS)


def standing_of(article: Article, *, is_indexed: bool, now: datetime) -> Standing:
    """The predicate twin of `in_standing`; `is_indexed` says whether the generation has it as it is now."""
    if article.status != Status.PUBLISHED:
        return Standing.NOT_PUBLISHED
    if is_indexed:
        return Standing.ANSWERABLE
    claimed_at = article.index_claimed_at
    if claimed_at is not None and now - LEASE < claimed_at <= now:
        return Standing.IN_HAND
    if article.index_attempts >= MAX_ATTEMPTS:
        return Standing.GIVEN_UP
    return Standing.FAILED if article.index_attempts else Standing.WAITING


def _passed_within(column: str, period: timedelta) -> Q:
    return Q(**{f"{column}__gt": Now() - period, f"{column}__lte": Now()})
