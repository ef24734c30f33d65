"""The next text of an article that is online, while customers go on reading the one they have.

Promise: what an editor saves never changes what customers read or are answered from; only `put_in_place` does, and it
takes what the change is about and nothing else: a field that was altered in the live article meanwhile, and not in the
change, stays as it is there. Where both altered the same field, nothing is put in place until somebody has looked.

Refuses to decide: who may do what, and when (`knowledge.workflow`).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from knowledge.models import (
    Article,
    ChangeState,
    Deed,
    PendingChange,
    Status,
    WorkflowEntry,
    content_of,
    read_content,
)

# About the article and not for its readers: it holds at once, whatever becomes of the text.
_HOUSEKEEPING: Final = ("reviewed_at", "reviewed_by_id", "review_by")


@dataclass(frozen=True)
class WorkingCopy:
    """What an editor goes on writing."""

    content: dict[str, Any]  # of `CONTENT`
    change: PendingChange | None  # None: it is the article itself
    overtaken: tuple[str, ...] = ()  # names of what the live article and the change have both altered


class Kept(StrEnum):
    """Where an edit went."""

    IN_ARTICLE = "article"  # nobody reads it yet
    IN_CHANGE = "change"
    NOWHERE = "nowhere"  # there was nothing new


def pending_change(article: Article) -> PendingChange | None:
    return PendingChange.objects.filter(article_id=article.pk).first()


def working_copy(article: Article, change: PendingChange | None) -> WorkingCopy:
    """`article` as its row is."""
    live = content_of(article)
    if change is None:
        return WorkingCopy(live, None)
    base_row = Article.history.filter(history_id=change.base).first()
    base = content_of(base_row) if base_row is not None else live
    content, overtaken = dict(live), []
    for name, wanted in read_content(change.content).items():
        if wanted in (base[name], live[name]):
            continue
        content[name] = wanted
        if live[name] != base[name]:
            overtaken.append(name)
    return WorkingCopy(content, change, tuple(overtaken))


def keep(*, edited: Article, by: User, may_publish: bool, is_publishing: bool = False) -> Kept:
    """Stores what was typed into a form: `edited` is not the row, but holds its key and the new values.

    It goes into the article itself where that is not online and no change of it is under way, else into the change. A
    change that waits for its date waits no longer when somebody edits it who may not publish. `is_publishing`: that is
    the next step, and the caller's transaction holds both.
    """
    content = content_of(edited)
    now = timezone.now()
    waits = edited.publish_at is not None and edited.publish_at > now
    with transaction.atomic():
        article = Article.objects.select_for_update().get(pk=edited.pk)
        article._history_user = by  # type: ignore[attr-defined]
        change = pending_change(article)
        tidied = {name: getattr(edited, name) for name in _HOUSEKEEPING}
        is_ours_to_move = article.is_scheduled() and may_publish
        if change is None and (article.status != Status.PUBLISHED or is_ours_to_move):
            _assign(article, {**content, **tidied})
            if waits or is_publishing or not is_ours_to_move:  # taking its date away would put it online
                article.publish_at = edited.publish_at
            article.save()
            return Kept.IN_ARTICLE
        if any(getattr(article, name) != value for name, value in tidied.items()):
            _assign(article, tidied)
            article.save()
        known = working_copy(article, change)
        known_date = change.publish_at if change is not None else article.publish_at
        if content == known.content and edited.publish_at == known_date and not known.overtaken:
            return Kept.NOWHERE
        change = change or PendingChange(article=article, started_by=by)
        change._history_user = by  # type: ignore[attr-defined]
        change.content, change.publish_at = content, edited.publish_at
        change.base = latest_entry(article)
        if change.state == ChangeState.SCHEDULED and not (may_publish and waits):
            change.state = ChangeState.DRAFT
            WorkflowEntry.objects.create(article=article, deed=Deed.UNSCHEDULED, by=by)
        change.save()
        return Kept.IN_CHANGE


def put_in_place(article: Article, copy: WorkingCopy) -> None:
    """Makes the change the article's own text; the caller saves it, in one transaction with this."""
    if copy.change is not None:
        _assign(article, copy.content)
        copy.change.delete()


def latest_entry(article: Article) -> int | None:
    """Of its history, the id."""
    latest: int | None = article.history.order_by("-history_id").values_list("history_id", flat=True).first()
    return latest


def _assign(article: Article, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(article, name, value)
