"""Who else has a ticket open, so that two agents do not answer one customer.

It warns and locks nothing: whoever goes home with an open page keeps nobody from helping.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from assistant.models import Presence, Ticket

FRESH = timedelta(seconds=45)  # pages tell of themselves every 10 s
_CLEARED_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Other:
    name: str
    is_writing: bool


def be_there(*, ticket: Ticket, user: Any, is_writing: bool = False) -> Sequence[Other]:
    """Notes that `user` has the ticket open; returns who else has. Two queries."""
    now = timezone.now()
    Presence.objects.bulk_create(
        [Presence(ticket=ticket, user=user, seen_at=now, is_writing=is_writing)],
        update_conflicts=True,
        unique_fields=["ticket", "user"],
        update_fields=["seen_at", "is_writing"],
    )
    others = (
        Presence.objects.filter(ticket=ticket, seen_at__gte=now - FRESH)
        .exclude(user=user)
        .select_related("user")
        .order_by("user__username")
    )
    return [Other(one.user.get_full_name() or one.user.get_username(), one.is_writing) for one in others]


def leave(*, ticket: Ticket, user: Any) -> None:
    Presence.objects.filter(ticket=ticket, user=user).delete()


def forget_absent() -> None:
    Presence.objects.filter(seen_at__lt=timezone.now() - _CLEARED_AFTER).delete()
