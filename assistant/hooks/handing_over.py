"""Opens tickets in another help desk, where the settings name one. Owed in rows, as webhooks are.

Promise: a ticket is opened there once: before every retry the other desk is asked for it. Its number and link become a
note in our ticket. What the other desk refuses for good waits for a person; everything else is tried again.
"""

import http.client
import logging
import time
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from assistant.addresses import of_the_site
from assistant.hooks.deliveries import LEASE_SECONDS, MAX_ATTEMPTS, PAUSES_SECONDS
from assistant.hooks.desks import Case, Desk, DeskRefused, Opened, desk_of_settings
from assistant.hooks.models import HandOff
from assistant.hooks.targets import TargetRefused
from assistant.models import Ticket

log = logging.getLogger(__name__)

_SWEEP_SECONDS = 60
_HAND_OFFS_A_SWEEP = 100
_LONGEST = timedelta(seconds=PAUSES_SECONDS[-1], minutes=5)


def owe_hand_off(ticket: Ticket) -> bool:
    """Part of the caller's transaction. False where it is owed or done already, or no other desk is set."""
    if not settings.HANDOFF_TO or not ticket.contact_email:
        return False
    _row, is_new = HandOff.objects.get_or_create(ticket=ticket)
    return is_new


def hand_over_due() -> None:
    desk = desk_of_settings()
    if desk is None:
        return
    ends = time.monotonic() + _SWEEP_SECONDS
    due = _due().order_by("due_at").values_list("pk", flat=True)
    for hand_off_id in list(due[:_HAND_OFFS_A_SWEEP]):
        _try(hand_off_id, desk)
        if time.monotonic() > ends:
            return


def try_again(hand_off: HandOff) -> bool:
    """False where it is open there already."""
    again = HandOff.objects.filter(pk=hand_off.pk, done_at=None)
    # From the second try on the other desk is asked first: nobody knows how the last one ended.
    return bool(again.update(due_at=timezone.now(), attempts=1))


def _due() -> QuerySet[HandOff]:
    now = timezone.now()
    return HandOff.objects.filter(Q(due_at__lte=now) | Q(due_at__gt=now + _LONGEST))


def _try(hand_off_id: int, desk: Desk) -> None:
    lease = timezone.now() + timedelta(seconds=LEASE_SECONDS)
    if not _due().filter(pk=hand_off_id).update(due_at=lease, attempts=F("attempts") + 1):
        return
    row = HandOff.objects.select_related("ticket__question").get(pk=hand_off_id)
    mine = HandOff.objects.filter(pk=hand_off_id, due_at=lease)
    is_final = False
    try:
        case = _case_of(row.ticket)
        opened = (desk.find(case) if row.attempts > 1 else None) or desk.open(case)
    except DeskRefused as refusal:
        error, is_final = str(refusal), refusal.is_final
    except (TargetRefused, KeyError) as failure:
        error, is_final = f"{type(failure).__name__}: {failure}", True
    except (OSError, http.client.HTTPException) as failure:
        error = f"{type(failure).__name__}: {failure}"
    else:
        _note(row, mine, desk, opened)
        return
    gives_up = is_final or row.attempts >= MAX_ATTEMPTS
    pause = None if gives_up else timedelta(seconds=PAUSES_SECONDS[row.attempts - 1])
    mine.update(
        due_at=timezone.now() + pause if pause is not None else None, error=error.replace("\x00", "")[:500]
    )
    log.warning("hand-off %d: try %d failed%s", hand_off_id, row.attempts, ", given up" if gives_up else "")


def _note(row: HandOff, mine: QuerySet[HandOff], desk: Desk, opened: Opened) -> None:
    from assistant.mailroom.notes import add_note  # beside the services, which cause hand-offs

    with transaction.atomic(), translation.override(settings.LANGUAGE_CODE):
        done = {"number": opened.number[:60], "link": opened.link[:500]}
        if mine.update(due_at=None, done_at=timezone.now(), error="", **done):
            values = {"desk": desk.name, "number": opened.number, "link": opened.link}
            add_note(row.ticket, _("This ticket is number %(number)s in %(desk)s:\n%(link)s") % values)


@of_the_site()
def _case_of(ticket: Ticket) -> Case:
    ours = settings.SITE_URL + reverse("admin:assistant_ticket_change", args=[ticket.pk])
    return Case(
        reference=ticket.reference,
        subject=ticket.subject,
        body=f"{ticket.asked}\n\n{ticket.reference}: {ours}",
        email=ticket.contact_email,
        name=ticket.contact_name,
        priority=int(ticket.priority),
    )
