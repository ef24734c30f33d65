"""Several tickets about the same thing become one.

Promise: nothing is deleted. The thread moves to the ticket that stays, in the order in which it was written; the
others are closed, point to it, and their customer's link leads on. Only tickets of one customer are merged: the link
of one would otherwise open the thread of another.
"""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from assistant.desk.actions import save_moved
from assistant.models import UNSETTLED, MessageAuthor, Ticket, TicketMessage, TicketStatus


class NotTheSameCustomer(Exception):
    """Merging would show one customer another's thread. `ticket` is the one that does not fit."""

    def __init__(self, ticket: Ticket) -> None:
        super().__init__(ticket.reference)
        self.ticket = ticket


def followed(ticket: Ticket) -> Ticket:
    """The ticket itself, or the one that it has become part of."""
    return ticket.leading


def are_of_one_customer(one: Ticket, other: Ticket) -> bool:
    if one.contact_email and other.contact_email:
        return one.contact_email.casefold() == other.contact_email.casefold()
    same_account = one.customer_id is not None and one.customer_id == other.customer_id
    same_conversation = one.conversation_id is not None and one.conversation_id == other.conversation_id
    return same_account or same_conversation


def merge_tickets(*, kept: Ticket, duplicates: Sequence[Ticket], by: Any) -> int:
    """How many became part of `kept`. Raises NotTheSameCustomer, and then nothing has changed."""
    wanted = sorted({kept.pk, *(one.pk for one in duplicates)})
    with transaction.atomic():
        rows = Ticket.objects.select_for_update(of=("self",)).select_related("question").order_by("pk")
        held = {one.pk: one for one in rows.filter(pk__in=wanted)}
        target = held[kept.pk]
        if target.merged_into_id is not None:
            target = Ticket.objects.select_for_update().get(pk=target.merged_into_id)
        merged = 0
        for pk, duplicate in held.items():
            if pk == target.pk or duplicate.merged_into_id == target.pk:
                continue
            if not are_of_one_customer(target, duplicate):
                raise NotTheSameCustomer(duplicate)
            _merge(duplicate, target, by)
            merged += 1
        if merged:
            save_moved(target, why=_("Duplicates merged into it"))
    return merged


def _merge(duplicate: Ticket, target: Ticket, by: Any) -> None:
    still_waited = duplicate.status in UNSETTLED
    opening = TicketMessage.objects.create(
        ticket=target,
        author_kind=MessageAuthor.CUSTOMER,
        author=duplicate.customer,
        body=duplicate.asked,
        came_from=duplicate,
    )
    TicketMessage.objects.filter(pk=opening.pk).update(created_at=duplicate.created_at)
    duplicate.files.filter(message=None).update(message=opening)
    duplicate.files.update(ticket=target)
    duplicate.messages.filter(came_from=None).update(came_from=duplicate)
    duplicate.messages.update(ticket=target)
    duplicate.merged.update(merged_into=target)
    TicketMessage.objects.create(
        ticket=target,
        author_kind=MessageAuthor.STAFF,
        author=by,
        body=_("%(reference)s was merged into this ticket.") % {"reference": duplicate.reference},
        is_internal=True,
        came_from=duplicate,
    )
    duplicate.merged_into = target
    duplicate.is_spam = False
    if duplicate.status != TicketStatus.AWAITING_CONTACT:
        duplicate.status = TicketStatus.CLOSED
    save_moved(duplicate, why=_("Merged into %(reference)s") % {"reference": target.reference})
    if duplicate.customer_wrote_at and (
        target.customer_wrote_at is None or duplicate.customer_wrote_at > target.customer_wrote_at
    ):
        target.customer_wrote_at = duplicate.customer_wrote_at
    if still_waited and target.status in (TicketStatus.SOLVED, TicketStatus.CLOSED):
        target.status = TicketStatus.OPEN  # what still waited must not end with what was settled
