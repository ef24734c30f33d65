"""Canned replies with their places filled in, for one ticket and one agent."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import translation

from assistant.models import PLACE, CannedReply, Ticket
from knowledge import site


@dataclass(frozen=True)
class Filled:
    pk: int
    title: str
    text: str


def canned_for(ticket: Ticket, agent: Any) -> Sequence[Filled]:
    """Those in the ticket's language; one query."""
    with site.as_customers_read() as here, translation.override(ticket.language):
        values = {
            "name": ticket.contact_name,
            "reference": ticket.reference,
            "subject": ticket.subject,
            "agent": agent.get_full_name() or agent.get_username(),
            "link": settings.SITE_URL + ticket.get_absolute_url(),
            "site": here.display_name,
        }
    texts = CannedReply.objects.filter(is_active=True, language=ticket.language)
    return [Filled(one.pk, one.title, filled(one.body, values)) for one in texts]


def inserted(body: str, ticket: Ticket, agent: Any) -> list[str]:
    """The titles of those whose whole text is in `body`, unchanged."""
    said = " ".join(body.split())
    return [one.title for one in canned_for(ticket, agent) if " ".join(one.text.split()) in said]


def filled(text: str, values: dict[str, str]) -> str:
    """One pass, so that a customer's name cannot bring places of its own; what is no place stays as it is."""
    found = PLACE.sub(lambda place: values.get(place[1], place[0]), text)
    return re.sub(r" +(?=[,.!])", "", found)  # "Hello {name}," of a customer who left no name
