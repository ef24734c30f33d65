"""A draft for a gap, put together from what staff replied to those who had asked.

Promise: everything in it was written by staff or asked by customers, or by a language model that is set, from these
replies and checked against them; nothing is made up. It is marked as not gone over, and cannot be published before
somebody confirms that it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext as _

from assistant.gaps.replies import general_part
from assistant.gaps.writing import sections_from, written_from
from assistant.models import (
    MessageAuthor,
    Question,
    StaffText,
    StaffTextKind,
    Ticket,
    TicketMessage,
    TicketStatus,
)
from assistant.wanted import Gap
from assistant.writers import assisting
from assistant.writers.assisting import Written
from knowledge.importers.slugs import SlugBook
from knowledge.models import Article

_MOST_REPLIES: Final = 12
_MOST_QUESTIONS: Final = 8
_SETTLED: Final = (TicketStatus.SOLVED, TicketStatus.CLOSED)


@dataclass(frozen=True)
class Reply:
    """What staff wrote under one solved ticket."""

    ticket_id: int
    question: str
    text: str  # Markdown, without what concerns the one customer, as far as that is recognised


def replies_for(gap: Gap) -> list[Reply]:
    """Of solved tickets of the gap's questions and of their conversations, those nearest to its middle first."""
    members = list(
        gap.members.order_by("-nearness").values_list(
            "question_id", "question__text", "question__conversation_id"
        )
    )
    asked = {question_id: (place, text) for place, (question_id, text, _thread) in enumerate(members)}
    threads = {thread: question_id for question_id, _text, thread in reversed(members)}
    tickets = Ticket.objects.filter(
        Q(question__in=asked) | Q(question=None, conversation__in=threads), status__in=_SETTLED
    ).select_related("customer")
    by_id = {ticket.pk: ticket for ticket in tickets}
    messages = TicketMessage.objects.filter(
        ticket__in=by_id, author_kind=MessageAuthor.STAFF, is_internal=False
    ).order_by("ticket_id", "pk")
    written: dict[int, list[str]] = {}
    for ticket_id, body in messages.values_list("ticket_id", "body"):
        part = general_part(body, names=_names(by_id[ticket_id]))
        if part:
            written.setdefault(ticket_id, []).append(part)

    def place(ticket_id: int) -> tuple[int, int]:
        ticket = by_id[ticket_id]
        question_id = ticket.question_id or threads.get(ticket.conversation_id or 0, 0)
        return asked.get(question_id, (len(asked), ""))[0], ticket_id

    found: dict[str, Reply] = {}
    for ticket_id in sorted(written, key=place):
        ticket = by_id[ticket_id]
        text = "\n\n".join(written[ticket_id])
        question = asked.get(ticket.question_id or 0, (0, ticket.subject))[1]
        found.setdefault(
            " ".join(text.split()).casefold(), Reply(ticket_id, question, text)
        )  # standard replies once
    return list(found.values())[:_MOST_REPLIES]


def draft_for(gap: Gap, *, by: Any) -> Article:
    """The gap's draft; a new one where it has none. Safe to repeat. With a model set it takes seconds."""
    replies = [] if gap.draft is not None else replies_for(gap)
    written = _written(gap, replies)
    with transaction.atomic():
        stored = Gap.objects.select_for_update(of=("self",)).select_related("nearest").get(pk=gap.pk)
        if stored.draft is not None:
            return stored.draft
        article = Article(
            title=_title(stored),
            body=_body(stored, replies if written is None else _rewritten(replies, written)),
            language=stored.language,
            category_id=_category(stored),
            author=by,
            to_go_over=True,
        )
        _save(article)
        stored.draft = article
        stored.save(update_fields=["draft"])
        if written is not None:
            StaffText.objects.create(
                kind=StaffTextKind.ARTICLE,
                article=article,
                sentences=[
                    {"text": one.text, "quote": one.quote, "source": one.source.key, "part": ""}
                    for one in written.sentences
                ],
                generations=[written.generation.as_record()],
                by=by,
            )
    return article


def _written(gap: Gap, replies: Sequence[Reply]) -> Written | None:
    if not replies or not assisting.is_possible():
        return None
    return written_from(
        [(one.ticket_id, one.text) for one in replies], language=gap.language, about=gap.title
    )


def _rewritten(replies: Sequence[Reply], written: Written) -> list[Reply]:
    """The replies themselves where nothing of the model's is supported."""
    by_ticket = {one.ticket_id: one for one in replies}
    sections = sections_from(written)
    return [replace(by_ticket[one.ticket_id], text=one.text) for one in sections] or list(replies)


def _save(article: Article) -> None:
    slugs = SlugBook(Article, fallback="article")
    for is_last_try in (False, True):
        article.slug = slugs.claim(article.language, article.title)
        try:
            with transaction.atomic():
                article.save()
            return
        except IntegrityError:  # somebody took the address since
            if is_last_try:
                raise
            slugs.reload()


def _title(gap: Gap) -> str:
    return gap.title.strip()[:200]


def _category(gap: Gap) -> int | None:
    return (
        gap.nearest.category_id if gap.nearest is not None and gap.nearest.language == gap.language else None
    )


def _body(gap: Gap, replies: Sequence[Reply]) -> str:
    questions = list(
        Question.objects.filter(gap_member__gap=gap)
        .order_by("-gap_member__nearness")
        .values_list("text", flat=True)[:_MOST_QUESTIONS]
    )
    with translation.override(gap.language):
        parts = []
        if len(replies) == 1:
            parts.append(replies[0].text)
        else:
            parts += [f"## {_line(reply.question)}\n\n{reply.text}" for reply in replies]
        asked = "\n".join(f"- {_line(text)}" for text in dict.fromkeys(questions))
        parts.append(f"## {_('What was asked')}\n\n{asked}")
    return "\n\n".join(parts) + "\n"


def _names(ticket: Ticket) -> list[str]:
    known = [ticket.contact_name]
    if ticket.customer is not None:
        known += [ticket.customer.get_full_name(), ticket.customer.get_username()]
    return [name for name in known if name]


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
