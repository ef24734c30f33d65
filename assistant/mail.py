"""What the e-mails to customers say. When they leave, and how often that is tried, is `assistant.outbox`'s business."""

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import translation

from assistant.addresses import of_the_site
from assistant.mailroom.addresses import loop_value, mail_domain, reply_address
from assistant.mailroom.robots import LOOP_MARK
from assistant.models import Mail
from assistant.queue_figures import reply_time
from knowledge import site


@of_the_site()
def compose(mail: Mail) -> EmailMessage:
    ticket, message = mail.ticket, mail.message
    template = "ticket_confirmation" if message is None else "staff_reply"
    domain, reply_to = mail_domain(), reply_address(ticket)
    with site.as_customers_read() as here, translation.override(ticket.language):
        values = {
            "ticket": ticket,
            "message": message,
            "site_name": here.display_name,
            "reply_time": reply_time() if message is None else None,
            "status_url": settings.SITE_URL + ticket.get_absolute_url(),
        }
        subject = " ".join(render_to_string(f"mail/{template}_subject.txt", values).split())
        body = render_to_string(f"mail/{template}.txt", values)
    return EmailMessage(
        subject=subject,
        body=body,
        to=[ticket.contact_email],
        reply_to=[reply_to] if reply_to is not None else None,
        headers={
            "Message-ID": f"<{mail.stable_id}@{domain}>",
            "References": f"<ticket-{ticket.pk}@{domain}>",
            "Auto-Submitted": "auto-generated" if message is None else "no",
            LOOP_MARK: loop_value(),
        },
    )
