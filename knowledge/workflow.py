"""The way of an article from the first word to the archive: which step is open to whom, and what it does.

    steps_for(article, change, user)                          # the buttons
    take_step(Step.PUBLISH, article=article, by=user)         # raises StepRefused

Promise: every step is decided on the row as it is now, under its lock, and leaves an entry that says who did what and
when. Whoever may not publish can change nothing that customers read. `by` None is the house itself: the calendar, a
command. Publishing holds at commit, and so does its end.
"""

import calendar
import hashlib
import json
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from knowledge import site
from knowledge.changes import WorkingCopy, pending_change, put_in_place, working_copy
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

WRITE: Final = "knowledge.change_article"
REVIEW: Final = "knowledge.review_article"
PUBLISH: Final = "knowledge.publish_article"


class Stage(StrEnum):
    """Where the text stands that editors work on: that of the change where there is one, else the article's."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    SCHEDULED = "scheduled"
    ONLINE = "online"
    ARCHIVED = "archived"


class Step(models.TextChoices):
    SUBMIT = "submit", gettext_lazy("Submit for review")
    TAKE_BACK = "take-back", gettext_lazy("Take back from review")
    SEND_BACK = "send-back", gettext_lazy("Send back with a comment")
    APPROVE = "approve", gettext_lazy("Approve")
    PUBLISH = "publish", gettext_lazy("Publish")
    UNSCHEDULE = "unschedule", gettext_lazy("Take out of the schedule")
    DISCARD = "discard", gettext_lazy("Discard the change")
    REOPEN = "reopen", gettext_lazy("Turn into a draft")
    ARCHIVE = "archive", gettext_lazy("Archive")


@dataclass(frozen=True)
class _Rule:
    permission: str
    stages: frozenset[Stage]


_EVERY: Final = frozenset(Stage)
_RULES: Final[dict[Step, _Rule]] = {
    Step.SUBMIT: _Rule(WRITE, frozenset({Stage.DRAFT})),
    Step.TAKE_BACK: _Rule(WRITE, frozenset({Stage.IN_REVIEW})),
    Step.SEND_BACK: _Rule(REVIEW, frozenset({Stage.IN_REVIEW})),
    Step.APPROVE: _Rule(REVIEW, frozenset({Stage.IN_REVIEW})),
    Step.PUBLISH: _Rule(PUBLISH, _EVERY - {Stage.ONLINE}),
    Step.UNSCHEDULE: _Rule(PUBLISH, frozenset({Stage.SCHEDULED})),
    Step.DISCARD: _Rule(WRITE, _EVERY),
    Step.REOPEN: _Rule(PUBLISH, _EVERY),
    Step.ARCHIVE: _Rule(PUBLISH, _EVERY),
}


class StepRefused(Exception):
    """Why a step is not taken, in a sentence. Nothing was changed."""


def stage_of(article: Article, change: PendingChange | None) -> Stage:
    if change is not None:
        return Stage(change.state)
    match Status(article.status):
        case Status.PUBLISHED:
            if article.is_scheduled():
                return Stage.SCHEDULED
            return Stage.ARCHIVED if article.is_over() else Stage.ONLINE
        case status:
            return Stage(status)


def has_news(article: Article) -> bool:
    """Whether there is a text of it that customers do not read yet."""
    return stage_of(article, pending_change(article)) is not Stage.ONLINE


def steps_for(article: Article, change: PendingChange | None, user: User | None) -> tuple[Step, ...]:
    """What `user` may do next with the text that is worked on."""
    stage = stage_of(article, change)
    return tuple(
        step
        for step, rule in _RULES.items()
        if stage in rule.stages and _makes_sense(step, article, change) and _may(user, step, article)
    )


def take_step(step: Step, *, article: Article, by: User | None, comment: str = "") -> Deed:
    """Publishing keeps to the date that the text carries, where that is still to come. Raises StepRefused."""
    with transaction.atomic():
        stored = Article.objects.select_for_update().get(pk=article.pk)
        change = pending_change(stored)
        if step not in steps_for(stored, change, by):
            raise StepRefused(_refusal(step, stored, change, by))
        if by is not None:
            stored._history_user = by  # type: ignore[attr-defined]
        if change is not None:
            change.skip_history_when_saving = True  # type: ignore[attr-defined]  # its text is not touched
            change._history_user = by  # type: ignore[attr-defined]
        match step:
            case Step.SUBMIT:
                _set_state(stored, change, ChangeState.IN_REVIEW)
                deed = Deed.SUBMITTED
            case Step.TAKE_BACK:
                _set_state(stored, change, ChangeState.DRAFT)
                deed = Deed.TAKEN_BACK
            case Step.SEND_BACK:
                if not comment.strip():
                    raise StepRefused(_("Say what is missing: whoever wrote it gets your comment."))
                _set_state(stored, change, ChangeState.DRAFT)
                _tell_author(stored, comment)
                deed = Deed.SENT_BACK
            case Step.APPROVE:
                deed = Deed.APPROVED
            case Step.PUBLISH:
                return _publish(stored, change, by, comment)
            case Step.UNSCHEDULE:
                _unschedule(stored, change)
                deed = Deed.UNSCHEDULED
            case Step.DISCARD:
                assert change is not None
                change.delete()
                deed = Deed.DISCARDED
            case Step.REOPEN:
                _reopen(stored, change)
                deed = Deed.REOPENED
            case Step.ARCHIVE:
                stored.status, stored.publish_at, stored.unpublish_at = Status.ARCHIVED, None, None
                stored.save()
                deed = Deed.ARCHIVED
        digest = digest_of(working_copy(stored, change)) if step is Step.APPROVE else ""
        WorkflowEntry.objects.create(article=stored, deed=deed, by=by, comment=comment.strip(), digest=digest)
    return deed


def approval_of(article: Article, change: PendingChange | None) -> WorkflowEntry | None:
    """Who approved the text as it reads now, since it was last submitted."""
    about_review = (Deed.SUBMITTED, Deed.APPROVED, Deed.SENT_BACK, Deed.TAKEN_BACK)
    latest = article.workflow.filter(deed__in=about_review).select_related("by").first()
    if latest is None or latest.deed != Deed.APPROVED:
        return None
    return latest if latest.digest == digest_of(working_copy(article, change)) else None


def digest_of(copy: WorkingCopy) -> str:
    text = json.dumps(copy.content, sort_keys=True, cls=DjangoJSONEncoder)
    return hashlib.sha256(text.encode()).hexdigest()


def next_review(today: date) -> date | None:
    """When an article that is right today is to be looked at again; None: the site plans nothing."""
    months = site.current().review_months
    if not months:
        return None
    year, month = divmod(today.year * 12 + today.month - 1 + months, 12)
    return date(year, month + 1, min(today.day, calendar.monthrange(year, month + 1)[1]))


def submitter_of(article: Article) -> User | None:
    entry = article.workflow.filter(deed=Deed.SUBMITTED).select_related("by").first()
    return entry.by if entry is not None and entry.by is not None else article.author


def _may(user: User | None, step: Step, article: Article) -> bool:
    if user is None:
        return True
    permission = _RULES[step].permission
    if step is Step.REOPEN and article.status == Status.ARCHIVED:
        permission = WRITE  # nobody reads it before, nor afterwards
    return user.has_perm(permission)


def _makes_sense(step: Step, article: Article, change: PendingChange | None) -> bool:
    match step:
        case Step.DISCARD:
            return change is not None
        case Step.REOPEN:
            return article.status in (Status.PUBLISHED, Status.ARCHIVED)
        case Step.ARCHIVE:
            return article.status != Status.ARCHIVED
        case Step.APPROVE:
            return approval_of(article, change) is None
    return True


def _refusal(step: Step, article: Article, change: PendingChange | None, by: User | None) -> str:
    if not _may(by, step, article):
        return _("You may not do this: %(step)s. Somebody with the permission has to.") % {"step": step.label}
    if step in (Step.SUBMIT, Step.PUBLISH) and stage_of(article, change) is Stage.ONLINE:
        return _("Customers read this text already: nothing was changed.")
    return _("“%(step)s” is not possible as the article stands now.") % {"step": step.label}


def _set_state(article: Article, change: PendingChange | None, state: ChangeState) -> None:
    if change is not None:
        change.state = state
        change.save()
    else:
        article.status = Status(state)
        article.save()


def _publish(article: Article, change: PendingChange | None, by: User | None, comment: str) -> Deed:
    if article.to_go_over:
        raise StepRefused(
            _("Put together from replies to customers. Say first that you have gone over it, above the form.")
        )
    now = timezone.now()
    was_online = article.is_online()
    at = change.publish_at if change is not None else article.publish_at
    waits = at is not None and at > now
    copy = working_copy(article, change)
    if copy.overtaken:
        raise StepRefused(
            _(
                "The published text was changed since this change was begun (%(fields)s). Open the article, "
                "compare the two, and save: then it can be published."
            )
            % {"fields": ", ".join(field_names(copy.overtaken))}
        )
    if waits and change is not None and was_online:
        change.state, change.publish_at = ChangeState.SCHEDULED, at
        change.save()
    else:
        put_in_place(article, copy)
        article.status, article.publish_at = Status.PUBLISHED, at if waits else None
        if article.unpublish_at is not None and article.unpublish_at <= max(now, article.publish_at or now):
            article.unpublish_at = None
        today = timezone.localdate()
        if article.review_by is None or article.review_by <= today:
            article.review_by = next_review(today) or article.review_by
        _check(article)
        article.save()
    deed = Deed.SCHEDULED if waits else Deed.CHANGED if was_online else Deed.PUBLISHED
    WorkflowEntry.objects.create(
        article=article, deed=deed, by=by, comment=comment.strip(), planned_for=at if waits else None
    )
    return deed


def _check(article: Article) -> None:
    try:
        article.validate_constraints()
    except ValidationError as error:
        raise StepRefused(" ".join(error.messages)) from error


def _unschedule(article: Article, change: PendingChange | None) -> None:
    if change is not None:
        change.state, change.publish_at = ChangeState.DRAFT, None
        change.save()
    else:
        article.status, article.publish_at = Status.DRAFT, None
        article.save()


def _reopen(article: Article, change: PendingChange | None) -> None:
    """With the text that was being prepared, where there is one; the last one that was online is in the history."""
    state = ChangeState.DRAFT
    if change is not None and change.state == ChangeState.IN_REVIEW:
        state = ChangeState.IN_REVIEW
    put_in_place(article, working_copy(article, change))
    article.status, article.publish_at = Status(state), None
    _check(article)
    article.save()


def _tell_author(article: Article, comment: str) -> None:
    author = submitter_of(article)
    if author is not None and author.is_active and author.email:
        Notice.objects.create(
            kind=NoticeKind.SENT_BACK, recipient=author, article_ids=[article.pk], comment=comment.strip()
        )


def field_names(names: tuple[str, ...]) -> list[str]:
    """As the form calls them."""
    return [str(Article._meta.get_field(name.removesuffix("_id")).verbose_name) for name in names]  # type: ignore[union-attr]
