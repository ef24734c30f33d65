"""Notes for staff that no person wrote."""

from assistant.models import Ticket, TicketMessage
from assistant.services import add_staff_message


def add_note(ticket: Ticket, body: str) -> TicketMessage:
    """Never shown to the customer. In a ticket that was merged into another it reaches that one."""
    note = add_staff_message(ticket=ticket, author=None, body=body, is_internal=True)
    note.is_automatic = True
    note.save(update_fields=["is_automatic"])
    return note
