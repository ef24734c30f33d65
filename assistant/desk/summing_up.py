"""What is asked, what was tried and what is missing, by the model that writes answers, where one is set.

Promise: made when somebody asks for it, never while a page is shown; each sentence stands on a quote of a message and
names it; a thread that has not changed is not paid for twice. Internal notes are not given to the model, and mail
addresses and long numbers are taken out before. Where nothing comes of it the quoted summary stays
(`assistant.desk.context`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from assistant.gaps.replies import without_particulars
from assistant.models import MessageAuthor, StaffText, StaffTextKind, Ticket
from assistant.writers import assisting
from assistant.writers.assisting import Part, Source, Task
from knowledge.language import detect_language


@dataclass(frozen=True)
class Line:
    text: str
    quote: str
    message: int  # id; 0: what the ticket was opened with


@dataclass(frozen=True)
class Summary:
    parts: Sequence[tuple[str, Sequence[Line]]]  # heading, sentences
    text: StaffText

    @property
    def dropped(self) -> int:
        return self.text.dropped


def kept_summary(ticket: Ticket) -> Summary | None:
    """Of the thread as it is now; None where none was made of it, or nothing came of that."""
    return _of_row(_kept(ticket, *_thread(ticket)))


def sum_up(ticket: Ticket, *, by: Any) -> Summary | None:
    """Seconds, where it was not made yet. Safe to repeat; hold no transaction."""
    sources, language = _thread(ticket)
    kept = _kept(ticket, sources, language)
    if kept is not None and kept.sentences:
        return _of_row(kept)
    about = without_particulars(ticket.subject, names=_names(ticket))
    written = assisting.write(Task.SUMMARY, sources, language=language, about=about)
    row = StaffText.objects.create(
        kind=StaffTextKind.SUMMARY,
        ticket=ticket,
        key=assisting.key_of(Task.SUMMARY, sources, language),
        sentences=[
            {
                "text": one.text,
                "quote": one.quote,
                "source": one.source.key,
                "part": (one.part or (Part.ASKED if one.source.is_customer else Part.TRIED)).value,
            }
            for one in written.sentences
        ],
        generations=[written.generation.as_record()],
        by=by,
    )
    return _of_row(row)


def _kept(ticket: Ticket, sources: Sequence[Source], language: str) -> StaffText | None:
    key = assisting.key_of(Task.SUMMARY, sources, language)
    rows = StaffText.objects.filter(kind=StaffTextKind.SUMMARY, ticket=ticket, key=key)
    return rows.order_by("-pk").first()


def _of_row(row: StaffText | None) -> Summary | None:
    if row is None or not row.sentences:
        return None
    headings = {Part.ASKED: _("Asked"), Part.TRIED: _("Tried"), Part.MISSING: _("Missing")}
    parts = [
        (
            heading,
            [
                Line(one["text"], one["quote"], one["source"])
                for one in row.sentences
                if one["part"] == part.value
            ],
        )
        for part, heading in headings.items()
    ]
    return Summary([(heading, lines) for heading, lines in parts if lines], row)


def _thread(ticket: Ticket) -> tuple[list[Source], str]:
    names = _names(ticket)
    opened = "\n\n".join(part for part in (ticket.asked, ticket.detail) if part)
    sources = [Source(0, True, without_particulars(opened, names=names))]
    messages = ticket.messages.for_customer(timezone.now()).filter(is_automatic=False)
    for pk, kind, body in messages.values_list("pk", "author_kind", "body"):
        text = without_particulars(body, names=names)
        sources.append(Source(pk, kind == MessageAuthor.CUSTOMER, text))
    # The beginning says what it is about, and the end how it stands.
    if len(sources) > assisting.MOST_SOURCES:
        sources = [sources[0], *sources[1 - assisting.MOST_SOURCES :]]
    return sources, detect_language(opened, fallback=ticket.language)


def _names(ticket: Ticket) -> list[str]:
    return [ticket.contact_name] if ticket.contact_name else []
