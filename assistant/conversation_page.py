"""What the page of a conversation shows: every turn, for one reader, now; and what comes after a "no".

Refuses to decide what may be quoted: each turn passes the gate as the answer page does.
"""

from dataclasses import dataclass

from assistant.answer_page import AnswerPage, answer_page
from assistant.models import Conversation, Feedback, Question, TicketStatus
from knowledge.models import Article, Reader

TURNS_SHOWN = 30  # the latest; who asks more often is better served by a person
NEXT_BEST = 2  # articles that are offered after a "no"


@dataclass(frozen=True)
class ConversationPage:
    conversation: Conversation
    earlier: tuple[AnswerPage, ...]  # oldest first
    current: AnswerPage
    left_out: int  # of the oldest turns


@dataclass(frozen=True)
class Comfort:
    """What is offered to somebody whom an answer has not helped, in this order, once a conversation."""

    articles: tuple[Article, ...]
    asks_contact: bool  # False: a person has the question already


def turns_of(conversation: Conversation) -> list[Question]:
    """Oldest first."""
    found = conversation.questions.select_related("conversation", "answer", "ticket", "feedback")
    return list(found.order_by("-pk")[:TURNS_SHOWN])[::-1]


def conversation_page(conversation: Conversation, *, reader: Reader) -> ConversationPage | None:
    """None where nothing was asked in it."""
    turns = turns_of(conversation)
    if not turns:
        return None
    pages = [answer_page(question, reader=reader) for question in turns]
    total = conversation.questions.count() if len(turns) == TURNS_SHOWN else len(turns)
    return ConversationPage(
        conversation=conversation,
        earlier=tuple(pages[:-1]),
        current=pages[-1],
        left_out=total - len(turns),
    )


def comfort_after(page: AnswerPage) -> Comfort:
    """Articles with the first "no" of a conversation only: who says it again is not sent round in circles."""
    question = page.question
    said_before = Feedback.objects.filter(
        question__conversation_id=question.conversation_id, question__lt=question.pk, helpful=False
    )
    ticket = page.ticket
    return Comfort(
        articles=() if said_before.exists() else page.closest[:NEXT_BEST],
        asks_contact=ticket is None or ticket.leading.status == TicketStatus.AWAITING_CONTACT,
    )
