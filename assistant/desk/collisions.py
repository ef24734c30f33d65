"""Two agents, one ticket: what each had seen when it was saved, and what of it has changed since.

Promise: pure but for reading the ticket. A value that only one of them has changed is kept; where both have changed
the same one to something else, neither wins unseen. `Seen` travels with the form as a short text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from assistant.models import Ticket, TicketMessage

FIELDS = ("status", "priority", "assignee", "category", "problem")


@dataclass(frozen=True)
class Seen:
    """A ticket as a page showed it."""

    values: tuple[str, ...]  # of FIELDS, as a form writes them; empty for none
    last_message: int  # id; 0: none

    def __str__(self) -> str:
        return "|".join((*self.values, str(self.last_message)))

    def value(self, field: str) -> str:
        return self.values[FIELDS.index(field)]

    @classmethod
    def of(cls, ticket: Ticket) -> Seen:
        last = ticket.messages.order_by("-pk").values_list("pk", flat=True).first()
        return cls(tuple(written(raw_value(ticket, field)) for field in FIELDS), last or 0)

    @classmethod
    def read(cls, text: str) -> Seen | None:
        """None for what no page has written."""
        *values, last = text.split("|")
        if len(values) != len(FIELDS) or not last.isascii() or not last.isdigit() or len(last) > 18:
            return None
        return cls(tuple(values), int(last))


def raw_value(ticket: Ticket, field: str) -> Any:
    return getattr(ticket, field if field in ("status", "priority") else f"{field}_id")


def written(value: Any) -> str:
    """A value or a row as a form field sends it."""
    if value is None:
        return ""
    return str(getattr(value, "pk", value))


def unseen_messages(ticket: Ticket, seen: Seen, *, reader: Any) -> list[TicketMessage]:
    """What others have written since, notes included."""
    since = ticket.messages.filter(pk__gt=seen.last_message).select_related("author")
    return [one for one in since if one.author_id is None or one.author_id != reader.pk]
