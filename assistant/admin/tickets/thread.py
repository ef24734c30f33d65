"""The thread of a ticket as staff see it: who, when, what became of the mail, and what is new."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from assistant.models import Mail, Ticket, TicketMessage


@dataclass(frozen=True)
class Entry:
    message: TicketMessage
    mail: Mail | None
    is_new: bool  # since the page was shown
    seconds_left: int  # in which the reader may take it back; 0: no more, or not theirs


def thread_of(ticket: Ticket, reader: Any, *, unseen: Collection[TicketMessage] = ()) -> list[Entry]:
    """In two queries, whatever its length."""
    new = {message.pk for message in unseen}
    now = timezone.now()
    entries = []
    for message in ticket.messages.select_related(
        "author", "mail", "came_from", "inbound_mail"
    ).prefetch_related("files"):
        is_held = (
            message.held_until is not None and message.withdrawn_at is None and message.author_id == reader.pk
        )
        left = (message.held_until - now).total_seconds() if is_held and message.held_until else 0
        entries.append(Entry(message, getattr(message, "mail", None), message.pk in new, max(0, int(left))))
    return entries
