"""Suggested category and priority of the tickets that wait, made by the sweep and answered by agents.

Promise: no customer waits for it. Nothing is applied unless the rules of the desk say so, and then to a ticket that
nobody of staff has changed. Who accepted or rejected what stands in the ticket's history.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import translation
from django.utils.translation import gettext as _

from assistant.desk.actions import held, save_moved
from assistant.desk.routing.history import LANGUAGES, past_of_the_desk, value_of
from assistant.desk.routing.voting import Record, Trial, Vote, record_of, vote, walk_forward
from assistant.models import (
    MAX_QUESTION_LENGTH,
    Priority,
    RoutedField,
    RoutingAnswer,
    RoutingSuggestion,
    Ticket,
)
from assistant.models.routing import ENOUGH_HISTORY
from assistant.question_vectors import Wording, load
from knowledge.embeddings import EmbedderUnavailable
from knowledge.models import Category

log = logging.getLogger(__name__)

_LOOKED_AT_AGAIN = timedelta(days=1)
_A_SWEEP = 50  # tickets


def suggest_routes(routes_from: float | None, now: datetime) -> int:
    """For tickets that have none, or one of yesterday. `routes_from` 0..1: apply from this confidence; None: never.

    How many were looked at.
    """
    lately = RoutingSuggestion.objects.filter(ticket=OuterRef("pk"), looked_at__gt=now - _LOOKED_AT_AGAIN)
    waiting = Ticket.objects.unsettled().filter(~Exists(lately))
    tickets = list(waiting.select_related("question").order_by("-pk")[:_A_SWEEP])
    if not tickets:
        return 0
    try:
        past = past_of_the_desk()
        trials = {field: walk_forward(past[field]) for field in RoutedField}
        is_enough = any(len(one) >= ENOUGH_HISTORY for one in trials.values())
        # A young desk needs no model for it.
        vectors = load([_wording(one) for one in tickets]) if is_enough else None
    except EmbedderUnavailable as error:
        log.info("no routing is suggested: %s", type(error).__name__)
        return 0
    for field in RoutedField:
        for ticket in tickets:
            vector = vectors.of(_wording(ticket)) if vectors is not None else None
            found = vote(past[field], vector, LANGUAGES[ticket.language]) if vector is not None else None
            _keep(ticket, field, found, trials[field], now)
    if routes_from is not None:
        for ticket in tickets:
            _apply(ticket, routes_from)
    return len(tickets)


def accept(*, suggestion: RoutingSuggestion, by: Any) -> bool:
    """The ticket gets the value. False where it was answered already, or its category is gone."""
    with held(suggestion.ticket) as stored:
        label = label_of(suggestion)
        if not label or not _answer(suggestion, RoutingAnswer.ACCEPTED, by):
            return False
        _set(stored, suggestion)
        save_moved(stored, why=_("Suggestion accepted: %(what)s") % {"what": _said(suggestion, label)})
    return True


def reject(*, suggestion: RoutingSuggestion, by: Any) -> bool:
    """False where it was answered already."""
    with held(suggestion.ticket) as stored:
        if not _answer(suggestion, RoutingAnswer.REJECTED, by):
            return False
        save_moved(
            stored, why=_("Suggestion rejected: %(what)s") % {"what": _said(suggestion, label_of(suggestion))}
        )
    return True


def label_of(suggestion: RoutingSuggestion) -> str:
    """In the reader's language; empty where there is none, or the category is gone."""
    if suggestion.value is None:
        return ""
    if suggestion.field == RoutedField.PRIORITY:
        return str(Priority(suggestion.value).label)
    return Category.objects.filter(pk=suggestion.value).values_list("name", flat=True).first() or ""


def _wording(ticket: Ticket) -> Wording:
    """Of what came by mail or from the form: its subject and how it begins."""
    if ticket.question is not None:
        return Wording(ticket.question.text, ticket.question.language, ticket.question.pk)
    return Wording(ticket.asked[:MAX_QUESTION_LENGTH], ticket.language, None)


def _keep(
    ticket: Ticket, field: RoutedField, found: Vote | None, trials: Sequence[Trial], now: datetime
) -> None:
    record = record_of(trials, found.clarity) if found is not None else Record()
    values = {
        "value": found.value if found is not None else None,
        "agreeing": found.agreeing if found is not None else 0,
        "similar": found.similar if found is not None else 0,
        "tried": record.tried,
        "right": record.right,
        "rule_right": record.rule_right,
        "learned_from": len(trials),
        "looked_at": now,
    }
    with transaction.atomic():
        row, is_new = RoutingSuggestion.objects.get_or_create(ticket=ticket, field=field, defaults=values)
        if is_new:
            return
        open_ones = RoutingSuggestion.objects.filter(pk=row.pk, answer="")
        if not open_ones.update(**values):  # what was answered stays as it was answered
            RoutingSuggestion.objects.filter(pk=row.pk).update(looked_at=now)


def _apply(ticket: Ticket, least: float) -> None:
    for suggestion in ticket.routing.filter(answer=""):
        with held(ticket) as stored:
            if not suggestion.is_offered or suggestion.confidence < least:
                continue
            if value_of(stored, RoutedField(suggestion.field)) == suggestion.value:
                continue
            if stored.history.filter(history_user__is_staff=True).exists():
                continue
            with translation.override(settings.LANGUAGE_CODE):
                label = label_of(suggestion)
                if not label or not _answer(suggestion, RoutingAnswer.APPLIED, None):
                    continue
                _set(stored, suggestion)
                save_moved(
                    stored,
                    why=_("Suggestion applied by the desk: %(what)s") % {"what": _said(suggestion, label)},
                )


def _answer(suggestion: RoutingSuggestion, answer: RoutingAnswer, by: Any) -> bool:
    unanswered = RoutingSuggestion.objects.filter(pk=suggestion.pk, answer="", value=suggestion.value)
    return bool(unanswered.update(answer=answer, answered_by=by))


def _set(stored: Ticket, suggestion: RoutingSuggestion) -> None:
    if suggestion.field == RoutedField.CATEGORY:
        stored.category_id = suggestion.value
    elif suggestion.value is not None:
        stored.priority = suggestion.value


def _said(suggestion: RoutingSuggestion, label: str) -> str:
    field = RoutedField(suggestion.field).label
    return _("%(field)s “%(value)s”, %(agreeing)d of %(similar)d") % {
        "field": field,
        "value": label,
        "agreeing": suggestion.agreeing,
        "similar": suggestion.similar,
    }
