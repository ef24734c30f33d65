"""What support staff do with tickets from a list, as functions.

The ticket is read anew and saved whole, so that its history gets an entry. Mail, contact and messages are
assistant.services' business.
"""

from typing import Any

from django.db import transaction

from assistant.models import Ticket, TicketStatus


class ContactMissing(Exception):
    """Nobody can be told: the ticket has no e-mail address yet. A retry helps once it has one."""


def assign_ticket(*, ticket: Ticket, assignee: Any) -> bool:
    """False where it was theirs already."""
    with transaction.atomic():
        stored = Ticket.objects.select_for_update().get(pk=ticket.pk)
        if stored.assignee_id == assignee.pk:
            return False
        stored.assignee = assignee
        stored.save()
    return True


def solve_ticket(*, ticket: Ticket) -> bool:
    """False where it was settled already. Raises ContactMissing."""
    return _set_status(ticket, TicketStatus.SOLVED, unless={TicketStatus.SOLVED, TicketStatus.CLOSED})


def reopen_ticket(*, ticket: Ticket) -> bool:
    """False where it was open already. Raises ContactMissing."""
    return _set_status(ticket, TicketStatus.OPEN, unless={TicketStatus.OPEN})


def _set_status(ticket: Ticket, status: TicketStatus, *, unless: set[TicketStatus]) -> bool:
    with transaction.atomic():
        stored = Ticket.objects.select_for_update().get(pk=ticket.pk)
        if stored.status == TicketStatus.AWAITING_CONTACT:
            raise ContactMissing
        if stored.status in unless:
            return False
        stored.status = status
        stored.save()
    return True
