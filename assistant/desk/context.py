"""What an agent needs to know beside the thread: this customer's other tickets, similar ones that were solved, and in
short what is asked, what was tried and what is missing.

Everything is quoted or counted, nothing is generated.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from assistant.models import (
    ConsideredPassage,
    MessageAuthor,
    QuestionStatus,
    Ticket,
    TicketReason,
    TicketStatus,
)

_EARLIER = 6
_SIMILAR = 5
_NEAR = 3  # articles that came closest
_WORDS = 40


@dataclass(frozen=True)
class Surroundings:
    earlier: Sequence[Ticket]  # of this customer, latest first
    similar: Sequence[Ticket]  # solved ones to which the same articles came closest, most in common first
    summary: Sequence[tuple[str, str]]  # heading, text


def surroundings_of(ticket: Ticket) -> Surroundings:
    return Surroundings(_earlier(ticket), _similar(ticket), summary_of(ticket))


def _earlier(ticket: Ticket) -> list[Ticket]:
    others = Ticket.objects.exclude(pk=ticket.pk).filter(merged_into=None, is_spam=False)
    if ticket.contact_email:
        others = others.of_customer(ticket.contact_email)
    elif ticket.customer_id is not None:
        others = others.filter(customer=ticket.customer_id)
    else:
        return []
    return list(
        others.only("reference", "subject", "status", "created_at").order_by("-created_at")[:_EARLIER]
    )


def _similar(ticket: Ticket) -> list[Ticket]:
    """No index of tickets is needed: what is about the same matter came close to the same articles."""
    if ticket.question_id is None:
        return []
    near = ConsideredPassage.objects.filter(question=ticket.question_id, rank__lte=2 * _NEAR)
    articles = list(dict.fromkeys(near.order_by("rank").values_list("article", flat=True)))[:_NEAR]
    shared = Count(
        "question__considered__article",
        filter=Q(question__considered__article__in=articles, question__considered__rank__lte=_NEAR),
        distinct=True,
    )
    solved = Ticket.objects.filter(
        status__in=(TicketStatus.SOLVED, TicketStatus.CLOSED),
        is_spam=False,
        merged_into=None,
        question__considered__article__in=articles,
    ).exclude(pk=ticket.pk)
    return list(
        solved.annotate(shared=shared)
        .filter(shared__gt=0)
        .select_related("lesson__article")
        .defer("lesson__article__body")
        .order_by("-shared", "-solved_at")[:_SIMILAR]
    )


def summary_of(ticket: Ticket) -> list[tuple[str, str]]:
    return [
        (_("Asked"), _short(ticket.asked)),
        (_("Tried"), _tried(ticket)),
        (_("Missing"), _missing(ticket)),
    ]


def _tried(ticket: Ticket) -> str:
    said = []
    question = ticket.question
    if question is not None:
        before = question.conversation.questions.filter(pk__lt=question.pk)
        answered = before.filter(status=QuestionStatus.ANSWERED).count()
        if answered:
            said.append(
                ngettext(
                    "the assistant answered %(count)d question before this one",
                    "the assistant answered %(count)d questions before this one",
                    answered,
                )
                % {"count": answered}
            )
        if question.status == QuestionStatus.ANSWERED:
            said.append(_("the assistant answered, and the customer asks on"))
    replies = ticket.messages.filter(
        author_kind=MessageAuthor.STAFF, is_internal=False, is_automatic=False, withdrawn_at=None
    ).count()
    if replies:
        said.append(
            ngettext("%(count)d reply of ours", "%(count)d replies of ours", replies) % {"count": replies}
        )
    return "; ".join(said) or _("nothing yet")


def _missing(ticket: Ticket) -> str:
    if not ticket.contact_email:
        return _("an address to answer to")
    if ticket.status == TicketStatus.PENDING:
        return _("the customer's answer to our last message")
    match ticket.reason:
        case TicketReason.NO_PASSAGES:
            return _("an article about it: none came close")
        case TicketReason.LOW_CONFIDENCE | TicketReason.UNGROUNDED:
            return _("an article that surely answers it: those that came closest stand below")
        case TicketReason.WRITER_UNAVAILABLE:
            return _("an answer at all: the assistant could not be reached")
    return _("a person's word")


def _short(text: str) -> str:
    words = text.split()
    return " ".join(words[:_WORDS]) + (" …" if len(words) > _WORDS else "")
