"""Tickets and rules for the tests of the desk, at moments of their own."""

import itertools
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from assistant.desk.clock import arrive, keep_time
from assistant.models import DeskRules, Ticket, TicketReason, TicketStatus
from knowledge.site import SiteSettings

BERLIN = ZoneInfo("Europe/Berlin")
_numbers = itertools.count(1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def office_hours() -> None:
    """From 9 to 17, Monday to Friday."""
    days = dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday"), "9-17")
    SiteSettings.objects.update_or_create(pk=1, defaults=days)


def desk_rules(**values: object) -> DeskRules:
    rules, _created = DeskRules.objects.update_or_create(pk=1, defaults=values)
    return rules


def arrived(opened: datetime | None = None, **fields: object) -> Ticket:
    """A ticket as the services leave it when the customer's address is known."""
    number = next(_numbers)
    values: dict[str, object] = {
        "subject": f"Invoice {number}",
        "reason": TicketReason.CUSTOMER_REQUEST,
        "language": "en",
        "contact_email": f"ada{number}@example.org",
        "status": TicketStatus.OPEN,
        "completed_at": opened or datetime.now(BERLIN),
    }
    ticket = Ticket(**values | fields)
    arrive(ticket)
    ticket.save()
    return ticket


def move(ticket: Ticket, status: str, now: datetime) -> None:
    ticket.status = status
    keep_time(ticket, now=now)
    ticket.save()


def waited(ticket: Ticket, days: float) -> None:
    """It has waited for its customer for so long."""
    since = datetime.now(BERLIN) - timedelta(days=days)
    Ticket.objects.filter(pk=ticket.pk).update(status=TicketStatus.PENDING, due_at=None, paused_since=since)
    ticket.messages.update(created_at=since)
    ticket.refresh_from_db()
