"""Every text that an article has had: what was online or a draft of its own, and what was prepared beside it.

    versions_of(article)          # the latest first, without their texts
    version(article, "a12")       # one of them, with its text

A key names the table and the entry: `a12` an entry of the article's history, `c7` one of its changes in preparation.
"""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from knowledge.changes import Kept, keep, pending_change, working_copy
from knowledge.models import (
    Article,
    Deed,
    PendingChange,
    WorkflowEntry,
    content_of,
    read_content,
)

MOST: Final = 500  # of each kind; older ones stay in the database
# What the list of versions tells apart; texts are compared by their revision.
_TOLD: Final = (
    "title",
    "slug",
    "language",
    "translation_group",
    "category_id",
    "status",
    "audience",
    "labels",
    "publish_at",
    "unpublish_at",
    "review_by",
    "reviewed_at",
)


@dataclass(frozen=True)
class Version:
    key: str
    at: datetime
    by: str  # a person's name; empty: nobody in particular
    reason: str  # what an import or a command said about it
    is_change: bool  # prepared beside the live text
    revision: int | None  # of the article; None for a change
    fields: tuple[tuple[str, Any, Any], ...] = ()  # name, before, after: what this one altered
    is_new_text: bool = False


def versions_of(article: Article) -> list[Version]:
    """Two queries, however many there are."""
    return sorted([*_of_article(article), *_of_changes(article)], key=lambda one: one.at, reverse=True)


def version(article: Article, key: str) -> tuple[Version, dict[str, Any]] | None:
    """With its content (`CONTENT`, by name); None where the article has no such version."""
    number = key[1:]
    if not number.isdecimal():
        return None
    if key[0] == "a":
        entry = (
            Article.history.select_related("history_user").filter(id=article.pk, history_id=number).first()
        )
        return entry and (_version(entry, entry.history_change_reason or ""), content_of(entry))
    if key[0] == "c":
        entry = (
            PendingChange.history.select_related("history_user")
            .filter(article_id=article.pk, history_id=number)
            .first()
        )
        return entry and (_version(entry, "", is_change=True), read_content(entry.content))
    return None


def restore(*, article: Article, content: dict[str, Any], by: User, may_publish: bool) -> Kept:
    """Takes an earlier text up again, as a draft: what is online stays online until somebody publishes this.

    Its place comes from today: address, audience, category, translations and dates are not brought back.
    """
    with transaction.atomic():
        edited = Article.objects.get(pk=article.pk)
        change = pending_change(edited)
        for name, value in working_copy(edited, change).content.items():
            setattr(edited, name, value)
        if change is not None:
            edited.publish_at = change.publish_at
        edited.title, edited.body = content["title"], content["body"]
        kept = keep(edited=edited, by=by, may_publish=may_publish)
        if kept is not Kept.NOWHERE:
            WorkflowEntry.objects.create(article=edited, deed=Deed.RESTORED, by=by)
        return kept


def _of_article(article: Article) -> list[Version]:
    entries = list(
        Article.history.filter(id=article.pk)
        .select_related("history_user")
        .defer("body")
        .order_by("-history_id")[: MOST + 1]
    )
    versions = []
    for entry, before in pairwise([*entries, None]):
        told = tuple(
            (name, getattr(before, name), getattr(entry, name))
            for name in _TOLD
            if before is not None and getattr(before, name) != getattr(entry, name)
        )
        versions.append(
            _version(
                entry,
                entry.history_change_reason or "",
                fields=told,
                is_new_text=before is not None and entry.revision != before.revision,
            )
        )
    return versions[:MOST]


def _of_changes(article: Article) -> list[Version]:
    entries = (
        PendingChange.history.filter(article_id=article.pk)
        .filter(~Q(history_type="-"))
        .select_related("history_user")
        .defer("content")
        .order_by("-history_id")[:MOST]
    )
    return [_version(entry, "", is_change=True) for entry in entries]


def _version(entry: Any, reason: str, *, is_change: bool = False, **told: Any) -> Version:
    user = entry.history_user
    return Version(
        key=f"{'c' if is_change else 'a'}{entry.history_id}",
        at=entry.history_date,
        by=(user.get_full_name() or user.get_username()) if user else "",
        reason=reason,
        is_change=is_change,
        revision=None if is_change else entry.revision,
        **told,
    )
