"""What happens to tickets, as events that are owed to those who want them.

Promise: an event is owed by the transaction that causes it, whoever causes it: what a ticket was and is stands in
its history, which every change writes, so no service has to think of it. Nothing among staff is an event.
"""

import json
import secrets
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models.signals import post_save
from django.urls import reverse
from django.utils import timezone
from simple_history.signals import post_create_historical_record

from assistant.addresses import of_the_site
from assistant.hooks.deliveries import owe
from assistant.hooks.handing_over import owe_hand_off
from assistant.hooks.models import Event, WebhookDelivery, WebhookEndpoint
from assistant.models import MessageAuthor, Ticket, TicketMessage, TicketStatus


def connect() -> None:
    post_create_historical_record.connect(
        _after_change, sender=Ticket.history.model, dispatch_uid="assistant.hooks.ticket"
    )
    post_save.connect(_after_message, sender=TicketMessage, dispatch_uid="assistant.hooks.message")


def owe_test(endpoint: WebhookEndpoint) -> None:
    """Nothing happened; it shows that what is sent arrives."""
    owe([_delivery(endpoint, Event.TEST, {"endpoint": endpoint.name})])


def _after_change(instance: Ticket, history_instance: Any, **_signal: Any) -> None:
    endpoints = _listening()
    if not endpoints and not settings.HANDOFF_ALL:
        return
    earlier = Ticket.history.filter(id=instance.pk, history_id__lt=history_instance.pk)
    before = earlier.order_by("-history_id").first()
    for event, more in _changes(instance, before):
        if endpoints:
            _owe(endpoints, event, {"ticket": _told(instance)} | more, ticket=instance)
        if event == Event.CREATED and settings.HANDOFF_ALL:
            owe_hand_off(instance)


def _changes(ticket: Ticket, before: Any) -> Iterator[tuple[Event, dict[str, Any]]]:
    if ticket.status == TicketStatus.AWAITING_CONTACT:
        return  # nobody can be answered yet
    if before is None or before.status == TicketStatus.AWAITING_CONTACT:
        yield Event.CREATED, {}
        if ticket.assignee_id is not None:
            yield Event.ASSIGNED, {"before": {"assignee": None}}
        return
    if before.status != ticket.status:
        yield Event.STATUS_CHANGED, {"before": {"status": before.status}}
        if ticket.status == TicketStatus.SOLVED:
            yield Event.SOLVED, {}
    if before.assignee_id != ticket.assignee_id:
        was = before.assignee.get_username() if before.assignee_id is not None and before.assignee else None
        yield Event.ASSIGNED, {"before": {"assignee": was}}


def _after_message(instance: TicketMessage, created: bool, raw: bool = False, **_signal: Any) -> None:
    if raw or not created or instance.is_internal or not (endpoints := _listening()):
        return
    is_customer = instance.author_kind == MessageAuthor.CUSTOMER
    ticket = instance.ticket
    _owe(
        endpoints,
        Event.CUSTOMER_REPLIED if is_customer else Event.STAFF_REPLIED,
        {"ticket": _told(ticket), "message": {"id": instance.pk, "body": instance.body}},
        ticket=ticket,
        message=instance,
        due_at=instance.held_until,  # a reply that can still be taken back is no event yet
    )


def _listening() -> list[WebhookEndpoint]:
    return list(WebhookEndpoint.objects.all())


def _owe(
    endpoints: list[WebhookEndpoint],
    event: Event,
    data: dict[str, Any],
    *,
    ticket: Ticket,
    message: TicketMessage | None = None,
    due_at: datetime | None = None,
) -> None:
    owe(
        [
            _delivery(endpoint, event, data, ticket=ticket, message=message, due_at=due_at or timezone.now())
            for endpoint in endpoints
            if event in endpoint.events
        ]
    )


def _delivery(
    endpoint: WebhookEndpoint, event: Event, data: dict[str, Any], **fields: Any
) -> WebhookDelivery:
    body = {"type": event.value, "timestamp": timezone.now().isoformat(), "data": data}
    return WebhookDelivery(
        endpoint=endpoint,
        event=event,
        event_id=f"msg_{secrets.token_hex(16)}",
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        **fields,
    )


@of_the_site()
def _told(ticket: Ticket) -> dict[str, Any]:
    """No secret of the customer's: their own page, which its address opens, is not in it."""
    return {
        "reference": ticket.reference,
        "subject": ticket.subject,
        "detail": ticket.detail,
        "status": ticket.status,
        "priority": int(ticket.priority),  # 1 low … 4 urgent
        "reason": ticket.reason,
        "language": ticket.language,
        "contact": {"name": ticket.contact_name, "email": ticket.contact_email},
        "assignee": ticket.assignee.get_username() if ticket.assignee is not None else None,
        "created_at": ticket.created_at.isoformat(),
        "url": settings.SITE_URL + reverse("admin:assistant_ticket_change", args=[ticket.pk]),
    }
