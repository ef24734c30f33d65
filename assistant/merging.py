"""Several questions of one conversation that no article answers become one request, not several.

Promise: whoever gives an address once gets one number and one confirmation for all that this conversation has left
open, and the team gets one ticket, as urgent as the most urgent question. What was merged keeps its row and its
reason, so that no figure changes.

Refuses to touch a ticket that has its contact: that thread has its own customer, who may be somebody else.
"""

from assistant.models import Ticket, TicketStatus


def merge_waiting(ticket: Ticket) -> None:
    """Part of the caller's transaction, once `ticket` has its contact."""
    if ticket.conversation_id is None:
        return
    waiting = Ticket.objects.filter(
        conversation_id=ticket.conversation_id, status=TicketStatus.AWAITING_CONTACT
    ).exclude(pk=ticket.pk)
    priority = ticket.priority
    # Whoever completes one of them in this moment keeps it: two requests then, and nobody waits for the other.
    for one in waiting.select_for_update(skip_locked=True):
        priority = max(priority, one.priority)
        one.merged_into = ticket
        one.status = TicketStatus.CLOSED
        one.contact_email, one.contact_name = ticket.contact_email, ticket.contact_name
        one.save_by_customer()
    if priority > ticket.priority:
        ticket.priority = priority
        ticket.save_by_customer()
