"""Which questions were not answered, or not well, and what says so.

Promise: a fixed number of queries. What goes to a person whatever the articles say (a wish for one, a complaint, a
sensitive matter) is no gap, nor is what an outage kept from an answer; and whatever staff judged right is right.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

from django.db.models import Count, Max, Q, QuerySet

from assistant.measured import Label, Verdict
from assistant.models import Question, QuestionStatus, Ticket, TicketReason
from assistant.wanted import Trouble

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Vectors: TypeAlias = "Callable[[Sequence[Question]], dict[int, NDArray[np.float32]]]"

SPAN: Final = timedelta(days=180)  # older questions are of another help center
MOST: Final = 3000  # the newest; the distances of more do not fit into a small machine's memory
AGAIN_WITHIN: Final = timedelta(minutes=30)
# Cosine of two questions of one conversation, from which on the second is the first in other words: two questions of
# the same article have that or more in about half of the cases, see docs/editing.md.
AGAIN_COSINE: Final = 0.5
_MISSED: Final = (TicketReason.NO_PASSAGES, TicketReason.LOW_CONFIDENCE, TicketReason.UNGROUNDED)
_NOT_RIGHT: Final = (Verdict.WRONG, Verdict.INCOMPLETE, Verdict.NO_ARTICLE)
_READ: Final = ("pk", "text", "language", "created_at", "conversation_id", "status", "user_id")


@dataclass(frozen=True)
class Troubled:
    question: Question  # with id, text, language, created_at and conversation_id
    troubles: tuple[Trouble, ...]  # in the order of Trouble
    is_past: bool = False  # of a gap that is settled, and nothing that would count today


@dataclass(frozen=True)
class Sequel:
    """What somebody did after an answer that was not enough."""

    question_id: int  # that was answered
    by: int  # id of the next question, or of the ticket
    trouble: Trouble  # ASKED_AGAIN or TICKET


def troubled_questions(now: datetime, vectors: "Vectors") -> list[Troubled]:
    """The newest first, at most MOST."""
    since = now - SPAN
    found: dict[int, set[Trouble]] = defaultdict(set)
    for trouble, questions in _by_their_rows(since):
        for pk in questions.order_by("-pk").values_list("pk", flat=True)[:MOST]:
            found[pk].add(trouble)
    for sequel in sequels(_threads_that_went_on(since), vectors):
        found[sequel.question_id].add(sequel.trouble)
    newest = sorted(found, reverse=True)[:MOST]
    read = Question.objects.only(*_READ).in_bulk(newest)
    return [
        Troubled(read[pk], tuple(trouble for trouble in Trouble if trouble in found[pk]))
        for pk in newest
        if pk in read
    ]


def sequels(conversation_ids: Collection[int], vectors: "Vectors") -> list[Sequel]:
    """Of the answered questions of these conversations: the next one where it asks for the same, and later tickets."""
    threads: dict[int, list[Question]] = defaultdict(list)
    asked = Question.objects.filter(conversation__in=conversation_ids).only(*_READ).order_by("pk")
    right = set(
        Label.objects.filter(question__conversation__in=conversation_ids, verdict=Verdict.RIGHT).values_list(
            "question_id", flat=True
        )
    )
    for question in asked:
        threads[question.conversation_id].append(question)
    pairs = [
        (one, following)
        for thread in threads.values()
        for one, following in pairwise(thread)
        if _was_answered(one, right) and following.created_at - one.created_at <= AGAIN_WITHIN
    ]
    known = vectors(list({one.pk: one for pair in pairs for one in pair}.values())) if pairs else {}
    found = [
        Sequel(one.pk, following.pk, Trouble.ASKED_AGAIN)
        for one, following in pairs
        if float(known[one.pk] @ known[following.pk]) >= AGAIN_COSINE
    ]
    tickets = Ticket.objects.filter(conversation__in=conversation_ids).order_by("pk")
    for pk, question_id, conversation_id, opened_at in tickets.values_list(
        "pk", "question_id", "conversation_id", "created_at"
    ):
        before = [
            one
            for one in threads.get(conversation_id or 0, [])
            if one.pk == question_id or (not question_id and one.created_at <= opened_at)
        ]
        # Without a question of its own it is about the one before it.
        if before and _was_answered(before[-1], right):
            found.append(Sequel(before[-1].pk, pk, Trouble.TICKET))
    return found


def _was_answered(question: Question, judged_right: Collection[int]) -> bool:
    return question.status == QuestionStatus.ANSWERED and question.pk not in judged_right


def _by_their_rows(since: datetime) -> list[tuple[Trouble, QuerySet[Question]]]:
    asked = Question.objects.filter(created_at__gte=since)
    answered = asked.filter(status=QuestionStatus.ANSWERED)
    return [
        (Trouble.DECLINED, asked.filter(status=QuestionStatus.ESCALATED, ticket__reason__in=_MISSED)),
        (Trouble.WRONG, answered.filter(label__verdict__in=_NOT_RIGHT)),
        (
            Trouble.NOT_HELPFUL,
            answered.filter(feedback__helpful=False).exclude(label__verdict=Verdict.RIGHT),
        ),
    ]


def _threads_that_went_on(since: datetime) -> set[int]:
    """Conversations with a second question, or with a ticket; the newest of them."""
    threads = Question.objects.filter(created_at__gte=since).order_by().values("conversation_id")
    several = threads.annotate(questions=Count("pk"), newest=Max("pk")).filter(questions__gt=1)
    tickets = Ticket.objects.filter(created_at__gte=since, conversation__isnull=False)
    answered = tickets.filter(Q(question=None) | Q(question__status=QuestionStatus.ANSWERED))
    return {
        *several.order_by("-newest").values_list("conversation_id", flat=True)[:MOST],
        *answered.order_by("-pk").values_list("conversation_id", flat=True)[:MOST],
    }
