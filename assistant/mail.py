"""What the e-mails say. When they leave, and how often that is tried, is `assistant.outbox`'s business."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from assistant.addresses import of_the_site
from assistant.attachments import contents_of
from assistant.mailroom.addresses import loop_value, mail_domain, reply_address
from assistant.mailroom.robots import LOOP_MARK
from assistant.models import Mail, MailKind, MessageAuthor, Ticket, TicketMessage
from assistant.queue_figures import reply_time
from knowledge import site

_TEMPLATES = {
    MailKind.CONFIRMATION: "ticket_confirmation",
    MailKind.REPLY: "staff_reply",
    MailKind.MISSED: "target_missed",
    MailKind.MENTION: "mention",
    MailKind.SURVEY: "survey",
}


@of_the_site()
def compose(mail: Mail) -> EmailMessage:
    ticket = mail.ticket
    if mail.staff_email:
        # Staff read what the administration says, in the site's language and always formal.
        with translation.override(settings.LANGUAGE_CODE):
            values = _values(mail, site.current().display_name) | {
                "note": mail.note,
                "ticket_url": settings.SITE_URL + reverse("admin:assistant_ticket_change", args=[ticket.pk]),
            }
            return _message(mail, mail.staff_email, values)
    with site.as_customers_read() as here, translation.override(ticket.language):
        values = _values(mail, here.display_name) | {
            "message": mail.message,
            "reply_time": reply_time() if mail.kind == MailKind.CONFIRMATION else None,
            "status_url": settings.SITE_URL + ticket.get_absolute_url(),
        }
        email = _message(mail, ticket.contact_email, values)
        if mail.message is not None and mail.message.pk is not None:
            for file in contents_of(mail.message):
                email.attach(file.name, file.content, file.content_type)
        return email


def reply_as_mailed(*, ticket: Ticket, body: str) -> EmailMessage:
    """What a customer would get for this text, without its files. Nothing is stored or sent."""
    message = TicketMessage(ticket=ticket, author_kind=MessageAuthor.STAFF, body=body)
    return compose(Mail(ticket=ticket, kind=MailKind.REPLY, message=message))


def _values(mail: Mail, site_name: str) -> dict[str, Any]:
    return {"ticket": mail.ticket, "site_name": site_name}


def _message(mail: Mail, address: str, values: Mapping[str, Any]) -> EmailMessage:
    template = _TEMPLATES[MailKind(mail.kind)]
    reply_to = reply_address(mail.ticket)
    subject = " ".join(render_to_string(f"mail/{template}_subject.txt", dict(values)).split())
    return EmailMessage(
        subject=subject,
        body=render_to_string(f"mail/{template}.txt", dict(values)),
        to=[address],
        reply_to=[reply_to] if reply_to is not None else None,
        headers=_headers(mail),
    )


def _headers(mail: Mail) -> dict[str, str]:
    """Mail programs put what belongs to one ticket into one thread, and robots do not answer robots."""
    domain = mail_domain()
    by_a_person = mail.kind == MailKind.REPLY and mail.message is not None and not mail.message.is_automatic
    headers = {
        "Message-ID": f"<{mail.stable_id}@{domain}>",
        "References": f"<ticket-{mail.ticket_id}@{domain}>",
        "Auto-Submitted": "no" if by_a_person else "auto-generated",
        LOOP_MARK: loop_value(),
    }
    if mail.kind == MailKind.REPLY:
        headers["In-Reply-To"] = headers["References"]
    return headers
