"""What the rules do by themselves, found in rows: targets that were missed, customers who fell silent, due times that
were counted with other rules.

Promise: safe to repeat and to run side by side; what is claimed by a conditional update happens once. Each ticket is a
transaction of its own, and each step takes a bounded number of them.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import formats, timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from assistant.desk import rules
from assistant.desk.actions import held, save_moved
from assistant.desk.clock import keep_time
from assistant.desk.presence import forget_absent
from assistant.desk.routing import suggest_routes
from assistant.models import (
    UNSETTLED,
    MailKind,
    MessageAuthor,
    Ticket,
    TicketMessage,
    TicketQuerySet,
    TicketStatus,
)
from assistant.outbox import owe_missed, owe_reply, owe_survey
from knowledge import site

log = logging.getLogger(__name__)

_REPLY_OVERDUE = gettext_noop("First reply overdue")
_SOLUTION_OVERDUE = gettext_noop("Solution overdue")
_NOTICE = gettext_noop("Notice after silence")
_SOLVED = gettext_noop("Solved after silence")
_CLOSED = gettext_noop("Closed for good some time after it was solved")

_SURVEY_AFTER = timedelta(hours=1)
_SURVEY_UNTIL = timedelta(days=2)
_RECOUNTED = 500  # tickets a sweep
_MOVED = 100  # of each kind a sweep


def keep_the_rules() -> None:
    policy = rules.current()
    now = timezone.now()
    recount(policy, now)
    missed = tell_missed(policy, now)
    noticed = give_notice(policy, now)
    settled = settle_silent(policy, now) + close_solved(policy, now)
    ask_how_it_went(policy, now)
    suggest_routes(policy.routes_from, now)
    forget_absent()
    if missed or noticed or settled:
        log.info("desk: %d targets missed, %d notices, %d tickets settled", missed, noticed, settled)


def recount(policy: rules.Policy, now: datetime) -> int:
    """Due times that were counted with other rules. Not in the history: nobody did anything to the ticket."""
    stale = Ticket.objects.filter(status__in=UNSETTLED).exclude(counted_with=policy.fingerprint)
    counted = 0
    for pk in list(stale.order_by("pk").values_list("pk", flat=True)[:_RECOUNTED]):
        with transaction.atomic():
            ticket = Ticket.objects.select_for_update().get(pk=pk)
            keep_time(ticket, policy=policy, now=now)
            Ticket.objects.filter(pk=pk).update(
                first_reply_due_at=ticket.first_reply_due_at,
                solve_due_at=ticket.solve_due_at,
                due_at=ticket.due_at,
                paused_since=ticket.paused_since,
                paused_seconds=ticket.paused_seconds,
                counted_with=ticket.counted_with,
            )
            counted += 1
    return counted


def tell_missed(policy: rules.Policy, now: datetime) -> int:
    """Each missed target once: in the ticket's history, and by mail where the rules say so."""
    reply_missed = Q(first_replied_at=None, reply_missed_at=None, first_reply_due_at__lte=now)
    solve_missed = Q(solve_missed_at=None, solve_due_at__lte=now)
    late = Ticket.objects.overdue(now).filter(reply_missed | solve_missed).order_by("due_at")
    told = 0
    for pk in list(late.values_list("pk", flat=True)[:_MOVED]):
        with transaction.atomic():
            ours = Ticket.objects.overdue(now).filter(pk=pk)
            reply = ours.filter(reply_missed).update(reply_missed_at=now)
            solve = ours.filter(solve_missed).update(solve_missed_at=now)
            if not reply and not solve:
                continue
            ticket = Ticket.objects.select_for_update(of=("self",)).select_related("assignee").get(pk=pk)
            ticket._change_reason = _why(_REPLY_OVERDUE if reply else _SOLUTION_OVERDUE)
            ticket.save()
            if policy.escalates:
                owe_missed(ticket, _addresses(ticket, policy))
            told += reply + solve
    return told


def give_notice(policy: rules.Policy, now: datetime) -> int:
    """Tells customers who have been silent that their ticket will count as solved."""
    if policy.silence is None:
        return 0
    silent_since = now - policy.silence
    spoken = TicketMessage.objects.filter(created_at__gt=silent_since, is_internal=False, withdrawn_at=None)
    silent = Ticket.objects.filter(
        status=TicketStatus.PENDING, noticed_at=None, paused_since__lte=silent_since
    ).exclude(pk__in=spoken.values("ticket"))
    noticed = 0
    for pk in list(silent.order_by("paused_since").values_list("pk", flat=True)[:_MOVED]):
        with transaction.atomic():
            if not silent.filter(pk=pk).update(noticed_at=now):
                continue
            ticket = Ticket.objects.select_for_update().get(pk=pk)
            message = TicketMessage.objects.create(
                ticket=ticket,
                author_kind=MessageAuthor.STAFF,
                body=_notice(ticket, now + policy.grace),
                is_automatic=True,
            )
            owe_reply(message)
            ticket._change_reason = _why(_NOTICE)
            ticket.save()
            noticed += 1
    return noticed


def settle_silent(policy: rules.Policy, now: datetime) -> int:
    if policy.silence is None:
        return 0
    found = Ticket.objects.filter(status=TicketStatus.PENDING, noticed_at__lte=now - policy.grace)
    return _moved(found, TicketStatus.SOLVED, _SOLVED)


def close_solved(policy: rules.Policy, now: datetime) -> int:
    if policy.closes_after is None:
        return 0
    found = Ticket.objects.filter(status=TicketStatus.SOLVED, solved_at__lte=now - policy.closes_after)
    return _moved(found, TicketStatus.CLOSED, _CLOSED)


def ask_how_it_went(policy: rules.Policy, now: datetime) -> int:
    """An hour after a ticket was solved, once; nothing for those of long ago when this is switched on."""
    if not policy.surveys:
        return 0
    solved = Ticket.objects.filter(
        status=TicketStatus.SOLVED,
        solved_at__lte=now - _SURVEY_AFTER,
        solved_at__gt=now - _SURVEY_UNTIL,
        rating=None,
        is_spam=False,
        merged_into=None,
    ).exclude(mails__kind=MailKind.SURVEY)
    asked = 0
    for ticket in list(solved.order_by("solved_at")[:_MOVED]):
        try:
            with transaction.atomic():
                owe_survey(ticket)
        except IntegrityError:
            continue  # another sweep was faster
        asked += 1
    return asked


def _moved(found: TicketQuerySet, status: TicketStatus, why: str) -> int:
    moved = 0
    for ticket in list(found.order_by("pk")[:_MOVED]):
        with held(ticket) as stored:
            if not found.filter(pk=stored.pk).exists():
                continue  # the customer has written in the meantime
            stored.status = status
            save_moved(stored, why=_why(why))
            moved += 1
    return moved


def _why(reason: str) -> str:
    """For the history, which all of the staff read: in the site's own language."""
    with translation.override(settings.LANGUAGE_CODE):
        return _(reason)


def _notice(ticket: Ticket, end: datetime) -> str:
    with site.as_customers_read(), translation.override(ticket.language):
        return _(
            "We have not heard from you since our last message. If everything is settled, you need not do anything: "
            "your request counts as solved on %(day)s. If something is still open, please reply, and it stays open."
        ) % {"day": formats.date_format(timezone.localtime(end), "DATE_FORMAT")}


def _addresses(ticket: Ticket, policy: rules.Policy) -> Iterable[str]:
    own = [ticket.assignee.email] if ticket.assignee is not None and ticket.assignee.email else []
    return dict.fromkeys([*own, *policy.escalation_addresses])
