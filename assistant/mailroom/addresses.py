"""The addresses and ids by which a mail says which ticket it is about.

A reply address (`help+t-abc2345.mf4tc…@example.org`) is signed with the ticket's own secret, which stands in no
mail: it cannot be guessed from a ticket's number, and it outlives a new SECRET_KEY. The ids of our mails
(`<message-17@help.example.org>`) can be guessed; they say where a mail belongs and prove nothing.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable

from django.conf import settings

from assistant.models import Ticket

_SIGNATURE_LENGTH = 16  # base32: 80 bits
_TAG = re.compile(r"(?P<reference>t-[0-9a-z]{4,10})\.(?P<signature>[a-z2-7]{16})")
_OWN_ID = re.compile(r"<(?P<kind>ticket|message|mail)-(?P<number>\d{1,18})@(?P<domain>[^<>\s@]+)>")
_REFERENCE = re.compile(r"\[(?P<reference>T-[0-9A-Z]{4,10})\]", re.IGNORECASE)


def mail_domain() -> str:
    return str(settings.SITE_URL).split("://")[-1].split("/")[0].split(":")[0]


def loop_value() -> str:
    """What everything that leaves from here is marked with."""
    return mail_domain()


def reply_address(ticket: Ticket) -> str | None:
    """Where replies to the ticket's mails go; None where no mail is received."""
    inbound = settings.MAIL_ADDRESS
    if not inbound:
        return None
    local, _at, domain = inbound.rpartition("@")
    return f"{local}{separator}{_tag(ticket)}@{domain}" if (separator := _separator()) else str(inbound)


def ticket_of_address(address: str) -> Ticket | None:
    """The ticket whose signed reply address this is."""
    separator = _separator()
    if not settings.MAIL_ADDRESS or not separator:
        return None
    own, _at, own_domain = settings.MAIL_ADDRESS.lower().rpartition("@")
    local, _at, domain = address.lower().rpartition("@")
    if domain != own_domain or not local.startswith(own + separator):
        return None
    found = _TAG.fullmatch(local.removeprefix(own + separator))
    if found is None:
        return None
    ticket = Ticket.objects.filter(reference=found["reference"].upper()).first()
    return ticket if ticket is not None and hmac.compare_digest(_tag(ticket), found[0]) else None


def is_our_address(address: str) -> bool:
    """Our inbound address, with whatever tag, or the one that our mails are from."""
    separator = _separator()
    own, _at, own_domain = settings.MAIL_ADDRESS.lower().rpartition("@")
    local, _at, domain = address.lower().rpartition("@")
    if own and domain == own_domain and (local == own or (separator and local.startswith(own + separator))):
        return True
    sender = settings.DEFAULT_FROM_EMAIL.lower().rpartition("<")[2].rstrip("> ")
    return bool(address.lower() == sender)


def ticket_of_ids(message_ids: Iterable[str]) -> Ticket | None:
    """The ticket of the last of these ids that is the id of a mail of ours."""
    for message_id in reversed(list(message_ids)):
        found = _OWN_ID.fullmatch(message_id)
        if found is None or found["domain"].lower() != mail_domain().lower():
            continue
        number = int(found["number"])
        lookup = {"ticket": "pk", "message": "messages__pk", "mail": "mails__pk"}[found["kind"]]
        if (ticket := Ticket.objects.filter(**{lookup: number}).first()) is not None:
            return ticket
    return None


def is_our_id(message_id: str) -> bool:
    found = _OWN_ID.fullmatch(message_id)
    return found is not None and found["domain"].lower() == mail_domain().lower()


def ticket_of_subject(subject: str) -> Ticket | None:
    found = _REFERENCE.search(subject)
    return Ticket.objects.filter(reference=found["reference"].upper()).first() if found else None


def _separator() -> str:
    """Empty where the mail server knows no tags."""
    return "" if settings.MAIL_TAG_SEPARATOR == "none" else str(settings.MAIL_TAG_SEPARATOR)


def _tag(ticket: Ticket) -> str:
    digest = hashlib.sha256(f"reply address {ticket.token}".encode()).digest()
    signature = base64.b32encode(digest).decode().lower()[:_SIGNATURE_LENGTH]
    return f"{ticket.reference.lower()}.{signature}"
