"""The desk's past as rows have it: how solved tickets ended, and what the rules had made of them.

Promise: a value that was applied by itself and left at that is nobody's judgement, so nothing is learned from it.
"""

from typing import Any

import numpy as np
from django.db.models import OuterRef, Subquery

from assistant.desk.routing.voting import Past
from assistant.models import (
    ConsideredPassage,
    Question,
    RoutedField,
    RoutingAnswer,
    RoutingSuggestion,
    Ticket,
    TicketStatus,
)
from assistant.question_vectors import question_vectors, vectors_kept
from knowledge.models import Language

MOST_TICKETS = 2000  # the latest
_ENCODED = 64  # questions whose vector is missing, at a time

LANGUAGES = {code: number for number, code in enumerate(Language.values)}


def past_of_the_desk() -> dict[RoutedField, Past]:
    """Solved tickets that began with a question. Raises EmbedderUnavailable.

    Vectors are kept when a question is asked. After a change of the model, a part of those that are missing is made at
    each call, and the others are left out.
    """
    tickets = list(_solved()[:MOST_TICKETS])
    questions = [_question(one) for one in tickets]
    vectors = vectors_kept(questions)
    missing = [one for one in questions if one.pk not in vectors][:_ENCODED]
    if missing:
        vectors |= question_vectors(missing)
    known = [one for one in tickets if one.question_id in vectors]
    nobodys = set(
        RoutingSuggestion.objects.filter(answer=RoutingAnswer.APPLIED, ticket__in=known).values_list(
            "ticket_id", "field", "value"
        )
    )
    return {field: _past(known, vectors, field, nobodys) for field in RoutedField}


def _solved() -> Any:
    closest = ConsideredPassage.objects.filter(question=OuterRef("question")).order_by("rank")
    first = Ticket.history.filter(id=OuterRef("pk"), history_type="+")
    return (
        Ticket.objects.filter(
            status__in=(TicketStatus.SOLVED, TicketStatus.CLOSED),
            is_spam=False,
            merged_into=None,
            question__isnull=False,
            completed_at__isnull=False,
            solved_at__isnull=False,
        )
        .annotate(
            rule_category=Subquery(closest.values("article__category")[:1]),
            rule_priority=Subquery(first.values("priority")[:1]),
        )
        .select_related("question")
        .only(
            "priority",
            "category_id",
            "language",
            "completed_at",
            "solved_at",
            "question__text",
            "question__language",
        )
        .order_by("-solved_at")
    )


def _question(ticket: Ticket) -> Question:
    assert ticket.question is not None  # `_solved` asks for one
    return ticket.question


def _past(tickets: list[Any], vectors: dict[int, Any], field: RoutedField, nobodys: set[Any]) -> Past:
    values = [value_of(one, field) for one in tickets]
    kept = [
        -1 if value is None or (one.pk, field, value) in nobodys else value
        for one, value in zip(tickets, values, strict=True)
    ]
    rules = [one.rule_category if field == RoutedField.CATEGORY else one.rule_priority for one in tickets]
    return Past(
        vectors=np.array([vectors[one.question_id] for one in tickets], dtype=np.float32),
        languages=np.array([LANGUAGES[one.language] for one in tickets], dtype=np.int64),
        opened=np.array([one.completed_at.timestamp() for one in tickets], dtype=np.float64),
        settled=np.array([one.solved_at.timestamp() for one in tickets], dtype=np.float64),
        values=np.array(kept, dtype=np.int64),
        by_rule=np.array([-1 if value is None else value for value in rules], dtype=np.int64),
    )


def value_of(ticket: Ticket, field: RoutedField) -> int | None:
    return ticket.category_id if field == RoutedField.CATEGORY else ticket.priority
