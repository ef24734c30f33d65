"""Whose ticket a mail belongs to, and whether its sender may speak in it.

Promise: a ticket's thread takes words only from its customer. Where a mail belongs is told by the ids it refers to,
by the signed address it was sent to, or by the number in its subject; none of them makes a stranger the customer.
A stranger at a signed address has seen the mail that it stands in: staff read it as a note. With a number alone,
or an id that can be guessed, a stranger gets a ticket of their own.
"""

from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.contrib.auth import get_user_model

from assistant.mailroom.addresses import ticket_of_address, ticket_of_ids, ticket_of_subject
from assistant.mailroom.reading import Read
from assistant.models import Ticket


class Standing(StrEnum):
    CUSTOMER = "customer"  # may speak in the thread
    STAFF = "staff"  # answered a mail that went to staff
    KNOWN = "known"  # somebody else who has the signed address


@dataclass(frozen=True)
class Match:
    ticket: Ticket
    standing: Standing


def match_of(read: Read) -> Match | None:
    """None where the mail begins something new."""
    referred = ticket_of_ids(read.referred)
    signed = next(filter(None, map(ticket_of_address, read.recipients)), None)
    if not is_forged(read):
        for ticket in (referred, signed, ticket_of_subject(read.subject)):
            if ticket is not None and _is_customer(ticket, read.sender):
                return Match(ticket, Standing.CUSTOMER)
        found = referred or signed
        if found is not None and _is_staff(read.sender):
            return Match(found, Standing.STAFF)
    return Match(signed, Standing.KNOWN) if signed is not None else None


def ticket_mentioned(read: Read) -> Ticket | None:
    """For what robots send: where it would belong. They may not speak, so it need not be theirs."""
    signed = next(filter(None, map(ticket_of_address, read.recipients)), None)
    return ticket_of_ids(read.reported) or ticket_of_ids(read.referred) or signed


def is_forged(read: Read) -> bool:
    """Whether our own mail server found that the sender is not who the mail says (RFC 8601, DMARC).

    Only headers that carry MAIL_AUTHSERV_ID count: all others anybody can write. That server has to remove those
    that came with the mail under its own name.
    """
    ours = settings.MAIL_AUTHSERV_ID.lower()
    if not ours:
        return False
    for value in read.headers.get("authentication-results", ()):
        server, _semicolon, results = value.lower().partition(";")
        if server.split()[:1] == [ours] and "dmarc=fail" in results.replace(" ", ""):
            return True
    return False


def _is_customer(ticket: Ticket, sender: str) -> bool:
    if not sender:
        return False
    known = {ticket.contact_email.lower()}
    if ticket.customer is not None:
        known.add(ticket.customer.email.lower())
    return sender.lower() in known - {""}


def _is_staff(sender: str) -> bool:
    people = get_user_model()._default_manager
    return bool(sender) and people.filter(email__iexact=sender, is_staff=True, is_active=True).exists()
