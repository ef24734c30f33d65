"""E-mails to customers: each leaves once, however often its delivery is tried (`assistant.tasks` tries).

A mail that cannot be sent stays marked as unsent on its row; nothing that a customer wrote depends on it.
"""

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import timezone, translation

from assistant.models import Ticket, TicketMessage


def deliver_ticket_confirmation(ticket: Ticket) -> None:
    """Sends once: the row is marked before the mail leaves and unmarked where it could not."""
    claimed = Ticket.objects.filter(pk=ticket.pk, confirmation_sent_at__isnull=True).update(
        confirmation_sent_at=timezone.now()
    )
    if not claimed:
        return
    try:
        _send(ticket, template="ticket_confirmation", message_id=f"ticket-{ticket.pk}")
    except Exception:
        Ticket.objects.filter(pk=ticket.pk).update(confirmation_sent_at=None)
        raise


def deliver_staff_reply(message: TicketMessage) -> None:
    claimed = TicketMessage.objects.filter(pk=message.pk, mailed_at__isnull=True, is_internal=False).update(
        mailed_at=timezone.now()
    )
    if not claimed:
        return
    try:
        _send(message.ticket, template="staff_reply", message_id=f"message-{message.pk}", message=message)
    except Exception:
        TicketMessage.objects.filter(pk=message.pk).update(mailed_at=None)
        raise


def _send(ticket: Ticket, *, template: str, message_id: str, message: TicketMessage | None = None) -> None:
    domain = settings.SITE_URL.split("://")[-1].split("/")[0].split(":")[0]
    with translation.override(ticket.language):
        values = {
            "ticket": ticket,
            "message": message,
            "site_name": settings.SITE_NAME,
            "status_url": settings.SITE_URL + ticket.get_absolute_url(),
        }
        subject = " ".join(render_to_string(f"mail/{template}_subject.txt", values).split())
        body = render_to_string(f"mail/{template}.txt", values)
    EmailMessage(
        subject=subject,
        body=body,
        to=[ticket.contact_email],
        headers={
            "Message-ID": f"<{message_id}@{domain}>",
            "References": f"<ticket-{ticket.pk}@{domain}>",
            "Auto-Submitted": "auto-generated" if message is None else "no",
        },
    ).send()
