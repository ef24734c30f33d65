"""What an editor needs to see of gaps: their questions, what came after an answer, and whether replies are at hand.

Promise: a fixed number of queries a page, however many gaps and questions.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import Count, F, Q, Window
from django.db.models.functions import RowNumber

from assistant.gaps.troubled import sequels
from assistant.models import Question, Ticket, TicketStatus
from assistant.question_vectors import question_vectors
from assistant.wanted import Gap, GapQuestion, Trouble
from knowledge.embeddings import EmbedderUnavailable

SAMPLES: Final = 3
_MOST_SEQUELS: Final = 200  # questions of a gap whose sequels are looked for


@dataclass(frozen=True)
class After:
    """What came after an answer: the question behind the question."""

    question: Question  # that was answered
    trouble: str  # for people
    next_question: Question | None = None
    ticket: Ticket | None = None


def samples_of(gaps: Sequence[Gap]) -> dict[int, list[GapQuestion]]:
    """Of each gap, the questions from its middle."""
    placed = GapQuestion.objects.filter(gap__in=gaps).annotate(
        place=Window(RowNumber(), partition_by="gap_id", order_by=[F("nearness").desc(), F("pk").asc()])
    )
    found: dict[int, list[GapQuestion]] = defaultdict(list)
    rows = placed.filter(place__lte=SAMPLES).select_related("question").order_by("gap_id", "place")
    for row in rows.defer("question__confidence_signals"):
        found[row.gap_id].append(row)
    return found


def replied_tickets(gaps: Sequence[Gap]) -> dict[int, int]:
    """Of each gap, how many solved tickets hold a reply that a draft can begin with."""
    is_replied = Q(
        question__ticket__status__in=(TicketStatus.SOLVED, TicketStatus.CLOSED),
        question__ticket__messages__author_kind="staff",
        question__ticket__messages__is_internal=False,
    )
    counted = GapQuestion.objects.filter(is_replied, gap__in=gaps).order_by().values("gap")
    return dict(
        counted.annotate(tickets=Count("question__ticket", distinct=True)).values_list("gap", "tickets")
    )


def what_came_after(gap: Gap) -> list[After]:
    """Newest first; empty also where the model is away that tells whether somebody asked for the same again."""
    members = gap.members.order_by("-question_id").values_list("question_id", "question__conversation_id")
    ids = dict(members[:_MOST_SEQUELS])
    try:
        found = [one for one in sequels(set(ids.values()), question_vectors) if one.question_id in ids]
    except EmbedderUnavailable:
        return []
    asked = [one.by for one in found if one.trouble == Trouble.ASKED_AGAIN]
    opened = [one.by for one in found if one.trouble == Trouble.TICKET]
    wanted = {*asked, *(one.question_id for one in found)}
    questions = Question.objects.defer("confidence_signals").in_bulk(wanted)
    tickets = Ticket.objects.in_bulk(opened)
    after = [
        After(
            question=questions[one.question_id],
            trouble=str(one.trouble.label),
            next_question=questions.get(one.by) if one.trouble == Trouble.ASKED_AGAIN else None,
            ticket=tickets.get(one.by) if one.trouble == Trouble.TICKET else None,
        )
        for one in found
    ]
    return sorted(after, key=lambda one: -one.question.pk)
