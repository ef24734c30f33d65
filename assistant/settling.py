"""The customer settles their request, or takes it up again; its history says that it was them.

What staff do with a ticket is `assistant.desk`'s business.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from assistant.desk.actions import held, save_moved
from assistant.models import BY_CUSTOMER, Ticket, TicketStatus


@dataclass(frozen=True)
class Settled:
    at: datetime
    by_customer: bool


def close_request(*, ticket: Ticket) -> bool:
    """False where it was settled already. It can be taken up again, so nobody is asked whether they are sure."""
    return _move(ticket, TicketStatus.SOLVED, only_from={TicketStatus.OPEN, TicketStatus.PENDING})


def reopen_request(*, ticket: Ticket) -> bool:
    """False where it is open, or closed for good."""
    return _move(ticket, TicketStatus.OPEN, only_from={TicketStatus.SOLVED})


def settled(ticket: Ticket) -> Settled | None:
    """When a solved request was solved, and by whom; None where it is not."""
    if ticket.status != TicketStatus.SOLVED:
        return None
    found = None
    for record in ticket.history.order_by("-history_date", "-history_id").iterator():
        if record.status != TicketStatus.SOLVED:
            break
        found = record  # the earliest since which it is solved
    if found is None:
        return None
    return Settled(found.history_date, found.history_change_reason == BY_CUSTOMER)


def _move(ticket: Ticket, status: TicketStatus, *, only_from: Collection[TicketStatus]) -> bool:
    with held(ticket) as stored:
        if stored.status not in only_from:
            return False
        stored.status = status
        save_moved(stored, why=BY_CUSTOMER)
    return True
