"""What the calendar does with articles: it notes what went online or offline by its date, and reminds.

Promise: a date holds by itself. Whether an article is online is asked of the clock whenever somebody reads or asks
(`ArticleQuerySet.published`), so a first publication and every end hold to the moment, with nobody sweeping; here they
only get their entry in the history. The new text of an article that is online already needs a sweep: it goes in place
with the first one after its date. All of it once, however many sweeps there are: each takes its row by a conditional
update.

Refuses to decide: what publishing means (`knowledge.workflow`), and when mails leave.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from django.contrib.auth.models import User
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from knowledge.models import (
    Article,
    ChangeState,
    Deed,
    Notice,
    NoticeKind,
    PendingChange,
    Status,
    WorkflowEntry,
)
from knowledge.workflow import REVIEW, Step, StepRefused, take_step

log = logging.getLogger(__name__)

_AT_ONCE: Final = 200  # rows of each kind; the next look takes the rest


def keep_dates() -> int:
    """How many articles had a date that has come. Safe to repeat, and to run side by side."""
    kept = 0
    for article_id in _ids(Article.objects.for_index().filter(publish_at__lte=Now()), "publish_at"):
        kept += _note_begin(article_id)
    for article_id in _ids(Article.objects.for_index().filter(unpublish_at__lte=Now()), "unpublish_at"):
        kept += _note_end(article_id)
    for change_id in _ids(_due_changes(), "publish_at"):
        kept += _publish_change(change_id)
    return kept + _remind()


def _ids(rows: "models.QuerySet[Article] | models.QuerySet[PendingChange]", date: str) -> list[int]:
    """In the order of that date, whose index they are then read from."""
    return list(rows.order_by(date).values_list("pk", flat=True)[:_AT_ONCE])


def _due_changes() -> "models.QuerySet[PendingChange]":
    return PendingChange.objects.filter(state=ChangeState.SCHEDULED, publish_at__lte=Now())


def _note_begin(article_id: int) -> bool:
    with transaction.atomic():
        due = Article.objects.for_index().filter(pk=article_id, publish_at__lte=Now())
        if not due.update(publish_at=None):
            return False
        return _noted(article_id, Deed.PUBLISHED)


def _note_end(article_id: int) -> bool:
    with transaction.atomic():
        due = Article.objects.for_index().filter(pk=article_id, unpublish_at__lte=Now())
        if not due.update(status=Status.ARCHIVED, publish_at=None, unpublish_at=None):
            return False
        return _noted(article_id, Deed.ARCHIVED)


def _noted(article_id: int, deed: Deed) -> bool:
    article = Article.objects.get(pk=article_id)
    article._history_user = None  # type: ignore[attr-defined]
    article.save()  # its entry in the history, and the index's bell
    WorkflowEntry.objects.create(article=article, deed=deed)
    return True


def _publish_change(change_id: int) -> bool:
    with transaction.atomic():
        # The article's row before that of its change, as everybody takes them.
        list(
            Article.objects.select_for_update(of=("self",)).filter(pending_change=change_id).values_list("pk")
        )
        # Where it cannot be published, it is back in review and tried no second time.
        if not _due_changes().filter(pk=change_id).update(state=ChangeState.IN_REVIEW):
            return False
        article = Article.objects.get(pending_change=change_id)
        try:
            with transaction.atomic():
                take_step(Step.PUBLISH, article=article, by=None)
        except StepRefused as reason:
            planned = article.workflow.filter(deed=Deed.SCHEDULED).select_related("by").first()
            WorkflowEntry.objects.create(article=article, deed=Deed.HELD_UP, comment=str(reason))
            _owe(NoticeKind.HELD_UP, {planned.by if planned else None}, [article.pk], str(reason))
            log.warning("article %d: its change could not be published on its date", article.pk)
        return True


# --- reminders -----------------------------------------------------------------------------------------


def _remind() -> int:
    """One mail for each person about all that is due for the first time."""
    today = timezone.localdate()
    due = Article.objects.review_due(today).filter(
        ~Q(review_reminded_for=F("review_by")) | Q(review_reminded_for=None)
    )
    ids = _ids(due, "review_by")
    if not ids:
        return 0
    with transaction.atomic():
        locked = Article.objects.select_for_update().filter(pk__in=ids).order_by("pk")
        list(locked.values_list("pk"))
        articles = list(
            due.filter(pk__in=ids).select_related("author", "reviewed_by").order_by("review_by", "title")
        )
        mine: dict[User, list[int]] = defaultdict(list)
        reviewers: list[User] | None = None
        for article in articles:
            people = _reachable({article.author, article.reviewed_by})
            if not people:
                reviewers = _reviewers() if reviewers is None else reviewers
                people = reviewers
            for person in people:
                mine[person].append(article.pk)
        for person, article_ids in mine.items():
            _owe(NoticeKind.REVIEW_DUE, {person}, article_ids)
        Article.objects.filter(pk__in=[article.pk for article in articles]).update(
            review_reminded_for=F("review_by")
        )
    if articles and not mine:
        log.warning(
            "%d articles are due for a check, and nobody with an address may review them", len(articles)
        )
    return len(articles)


def _reviewers() -> list[User]:
    return _reachable(User.objects.with_perm(REVIEW, backend="django.contrib.auth.backends.ModelBackend"))


def _reachable(people: "Iterable[User | None]") -> list[User]:
    return [person for person in people if person and person.is_active and person.is_staff and person.email]


def _owe(
    kind: NoticeKind, people: "Iterable[User | None]", article_ids: list[int], comment: str = ""
) -> None:
    for person in _reachable(people):
        Notice.objects.create(kind=kind, recipient=person, article_ids=article_ids, comment=comment)
