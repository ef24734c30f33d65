"""The queues of the desk: which tickets are in each, in which order, and how many."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Q, TextChoices
from django.utils.translation import gettext_lazy as _

from assistant.models import UNSETTLED, Mail, Ticket, TicketQuerySet, TicketStatus


class Queue(TextChoices):
    OPEN = "open", _("Waiting for us")
    MINE = "mine", _("Mine")
    UNASSIGNED = "unassigned", _("Nobody's")
    OVERDUE = "overdue", _("Overdue")
    PENDING = "pending", _("Waiting for customer")
    CONTACT = "contact", _("Contact missing")
    MAIL = "mail", _("E-mail failed")
    ALL = "all", _("All")


# What is due first comes first; then what matters more, then what has waited longer.
ORDER = (F("due_at").asc(nulls_last=True), "-priority", "created_at")


def of_queue(tickets: TicketQuerySet, queue: Queue, *, user: Any, now: datetime) -> TicketQuerySet:
    condition = _conditions(user, now).get(queue)
    if condition is not None:
        return tickets.filter(condition)
    return tickets.filter(pk__in=_with_failed_mail()) if queue == Queue.MAIL else tickets


def counts(*, user: Any, now: datetime) -> Mapping[str, int]:
    """Of every queue but the one of all, in two queries."""
    waiting = Ticket.objects.filter(status__in=(*UNSETTLED, TicketStatus.AWAITING_CONTACT))
    found: dict[str, int] = waiting.aggregate(
        **{queue.value: Count("pk", filter=condition) for queue, condition in _conditions(user, now).items()}
    )
    found[Queue.MAIL] = _with_failed_mail().distinct().count()
    return found


def _conditions(user: Any, now: datetime) -> Mapping[Queue, Q]:
    is_unsettled = Q(status__in=UNSETTLED)
    return {
        Queue.OPEN: Q(status=TicketStatus.OPEN),
        Queue.MINE: is_unsettled & Q(assignee=user.pk),
        Queue.UNASSIGNED: is_unsettled & Q(assignee=None),
        Queue.OVERDUE: Q(status=TicketStatus.OPEN, due_at__lte=now),
        Queue.PENDING: Q(status=TicketStatus.PENDING),
        Queue.CONTACT: Q(status=TicketStatus.AWAITING_CONTACT, is_spam=False, merged_into=None),
    }


def _with_failed_mail() -> Any:
    return Mail.objects.given_up().order_by().values("ticket")
