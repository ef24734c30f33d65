"""Ten seconds in which a reply can be taken back: its mail is owed but not due, and its customer does not see it."""

from datetime import timedelta
from typing import Any

from django.db.models import Min
from django.utils import timezone
from django.utils.translation import gettext as _

from assistant.desk.actions import held, save_moved
from assistant.models import MessageAuthor, TicketMessage
from assistant.outbox import withdraw_reply

HELD_FOR = timedelta(seconds=10)


def take_back(*, message: TicketMessage, by: Any) -> bool:
    """The reply goes to nobody, and the ticket is as it was before. False where it is too late, or somebody else's.

    The text stays in the thread for staff, as one that was taken back.
    """
    with held(message.ticket) as ticket:
        if message.author_id != by.pk or message.withdrawn_at is not None or not withdraw_reply(message):
            return False
        TicketMessage.objects.filter(pk=message.pk).update(withdrawn_at=timezone.now())
        ticket.status = message.status_before
        sent = ticket.messages.filter(
            author_kind=MessageAuthor.STAFF, is_internal=False, is_automatic=False, withdrawn_at=None
        )
        ticket.first_replied_at = sent.aggregate(first=Min("created_at"))["first"]
        save_moved(ticket, why=_("Reply taken back"))
    return True
