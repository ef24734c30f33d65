"""Background work of the assistant: primitive arguments, safe to repeat."""

import logging
import smtplib
from functools import partial
from typing import Any

from celery import shared_task
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

from assistant import mail
from assistant.models import Ticket, TicketMessage

log = logging.getLogger(__name__)

_MAIL = {
    "autoretry_for": (smtplib.SMTPException, OSError),
    "retry_backoff": 10,  # seconds, doubled each time
    "retry_backoff_max": 600,
    "max_retries": 5,
    "soft_time_limit": 60,
    "time_limit": 90,
}


@shared_task(**_MAIL)  # type: ignore[untyped-decorator]
def mail_ticket_confirmation(ticket_id: int) -> None:
    for ticket in Ticket.objects.filter(pk=ticket_id).exclude(contact_email=""):
        mail.deliver_ticket_confirmation(ticket)


@shared_task(**_MAIL)  # type: ignore[untyped-decorator]
def mail_staff_reply(message_id: int) -> None:
    for message in TicketMessage.objects.filter(pk=message_id).select_related("ticket"):
        mail.deliver_staff_reply(message)


def send_ticket_confirmation(ticket: Ticket) -> None:
    transaction.on_commit(partial(_enqueue, mail_ticket_confirmation, ticket.pk))


def send_staff_reply(message: TicketMessage) -> None:
    transaction.on_commit(partial(_enqueue, mail_staff_reply, message.pk))


def _enqueue(task: Any, *arguments: int) -> None:
    """Rings for a task after commit. What was committed stands even where nobody can be rung."""
    try:
        # Inline, nobody may wait through a row of retries: the first try is the last, the row says it failed.
        options = {"retries": task.max_retries} if settings.CELERY_TASK_ALWAYS_EAGER else {}
        outcome = task.apply_async(args=arguments, **options)
    except (OperationalError, OSError) as error:
        log.error("%s%s could not be queued: %s", task.name, arguments, type(error).__name__)
        return
    if settings.CELERY_TASK_ALWAYS_EAGER and outcome.failed():
        log.error("%s%s failed: %s", task.name, arguments, type(outcome.result).__name__)
