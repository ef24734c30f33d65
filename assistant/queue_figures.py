"""When a customer may expect a reply, from what the queue did lately and not from a promise.

Promise: about half of the requests counted here had their first reply within the time that is told. Those without one
count for as long as they have waited, so a queue that falls behind says so. Too few requests: nothing is claimed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from django.db.models import Min, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from assistant.models import MessageAuthor, Ticket, TicketStatus

COUNTED = 40  # of the latest requests
LATELY = timedelta(days=60)
ENOUGH = 5  # requests; fewer say nothing about the next


@dataclass(frozen=True)
class Wait:
    time: timedelta  # from the contact being known to the first reply, or until now
    is_over: bool


@dataclass(frozen=True)
class ReplyTime:
    median: timedelta
    requests: int  # that it was taken from
    is_at_least: bool  # too many wait still: it is not known, and `median` is the longest wait so far

    @property
    def in_words(self) -> str:
        time = _rounded_up(self.median)
        if self.is_at_least:
            return _("A reply takes longer at the moment: some requests have waited for %(time)s.") % {
                "time": time
            }
        return _("Lately about half of all requests had a first reply within %(time)s.") % {"time": time}


def reply_time() -> ReplyTime | None:
    """None where there is too little to go by."""
    now = timezone.now()
    rows = (
        Ticket.objects.filter(completed_at__gte=now - LATELY, is_spam=False, merged_into=None)
        .annotate(
            replied_at=Min(
                "messages__created_at",
                filter=Q(
                    messages__author_kind=MessageAuthor.STAFF,
                    messages__is_internal=False,
                    messages__is_automatic=False,
                    messages__withdrawn_at=None,
                ),
            )
        )
        # What was settled without a word needed none.
        .exclude(replied_at=None, status__in=(TicketStatus.SOLVED, TicketStatus.CLOSED))
        .order_by("-completed_at")
        .values_list("completed_at", "replied_at")[:COUNTED]
    )
    waits = [
        Wait(max((replied or now) - asked, timedelta()), replied is not None)
        for asked, replied in rows
        if asked
    ]
    return median_of(waits) if len(waits) >= ENOUGH else None


def median_of(waits: Sequence[Wait]) -> ReplyTime:
    """Where the estimated share of those who wait still falls to one half.

    Kaplan & Meier 1958, "Nonparametric estimation from incomplete observations": a request of a minute ago counts
    for a minute, not as one that was never answered.
    """
    waiting = 1.0
    in_order = sorted(waits, key=lambda wait: (wait.time, not wait.is_over))
    for position, wait in enumerate(in_order):
        if wait.is_over:
            waiting *= 1 - 1 / (len(waits) - position)
            if waiting <= 0.5:
                return ReplyTime(wait.time, len(waits), is_at_least=False)
    return ReplyTime(in_order[-1].time, len(waits), is_at_least=True)


def _rounded_up(time: timedelta) -> str:
    """In the unit a person would name; never less than it was."""
    minutes = ceil(time.total_seconds() / 60)
    if minutes <= 50:
        return _("%(count)d minutes") % {"count": max(10, ceil(minutes / 10) * 10)}
    hours = ceil(minutes / 60)
    if hours < 24:
        return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    days = ceil(hours / 24)
    return ngettext("%(count)d day", "%(count)d days", days) % {"count": days}
