"""What support staff do with tickets, as functions; each safe to repeat, and each in the ticket's history.

The row is read anew under a lock and saved whole: of two agents who change one ticket at the same moment, both get
what they wanted. Mail, contact and messages are assistant.services' business.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from assistant.desk.clock import keep_time
from assistant.models import KnownProblem, MailKind, Priority, Ticket, TicketStatus
from assistant.outbox import owe_confirmation, send_again, withdraw_all

_MOST_WHY = Ticket.history.model._meta.get_field("history_change_reason").max_length  # characters


class ContactMissing(Exception):
    """Nobody can be told: the ticket has no e-mail address yet. A retry helps once it has one."""


class Merged(Exception):
    """The ticket is part of another one, which is the one to change. No retry helps."""


@contextmanager
def held(ticket: Ticket) -> Iterator[Ticket]:
    """The ticket as it stands now, nobody else's to change until the block ends."""
    with transaction.atomic():
        stored = Ticket.objects.select_for_update().get(pk=ticket.pk)
        yield stored


def save_moved(stored: Ticket, *, why: str = "") -> None:
    """Saves a ticket that is held, with what follows from its change. `why` is for its history."""
    keep_time(stored)
    if why:
        stored._change_reason = why[:_MOST_WHY]  # simple_history reads it
    stored.save()


def note_in_history(*, ticket: Ticket, why: str) -> None:
    """For what staff do to a ticket that none of its own fields tells of."""
    with held(ticket) as stored:
        save_moved(stored, why=why)


def send_mail_again(*, ticket: Ticket) -> bool:
    """Its failed mails get a fresh start. False where none has failed."""
    with held(ticket) as stored:
        if not send_again(ticket=stored):
            return False
        save_moved(stored, why=_("Failed e-mails sent again"))
    return True


def assign_ticket(*, ticket: Ticket, assignee: Any) -> bool:
    """To nobody with None. False where it was theirs already."""
    with held(ticket) as stored:
        if stored.assignee_id == (assignee.pk if assignee is not None else None):
            return False
        stored.assignee = assignee
        save_moved(stored)
    return True


def set_priority(*, ticket: Ticket, priority: Priority) -> bool:
    """Due times follow. False where it was that already."""
    with held(ticket) as stored:
        if stored.priority == priority:
            return False
        stored.priority = priority
        save_moved(stored)
    return True


def link_problem(*, ticket: Ticket, problem: KnownProblem | None) -> bool:
    """False where it was linked so already."""
    with held(ticket) as stored:
        if stored.problem_id == (problem.pk if problem is not None else None):
            return False
        stored.problem = problem
        save_moved(stored)
    return True


def mark_spam(*, ticket: Ticket) -> bool:
    """Out of every queue; what is owed to its sender is owed no more. False where it was spam. Raises Merged."""
    with held(ticket) as stored:
        if stored.merged_into_id is not None:
            raise Merged
        if stored.is_spam:
            return False
        stored.is_spam = True
        withdraw_all(stored)
        if stored.status != TicketStatus.AWAITING_CONTACT:
            stored.status = TicketStatus.CLOSED
        save_moved(stored)
    return True


def unmark_spam(*, ticket: Ticket) -> bool:
    """It waits for us again. False where it was no spam."""
    with held(ticket) as stored:
        if not stored.is_spam:
            return False
        stored.is_spam = False
        if stored.status != TicketStatus.AWAITING_CONTACT:
            stored.status = TicketStatus.OPEN
            if not stored.mails.filter(kind=MailKind.CONFIRMATION).exists():
                owe_confirmation(stored)
        save_moved(stored)
    return True


def solve_ticket(*, ticket: Ticket) -> bool:
    """False where it was settled already. Raises ContactMissing."""
    return _set_status(ticket, TicketStatus.SOLVED, unless={TicketStatus.SOLVED, TicketStatus.CLOSED})


def reopen_ticket(*, ticket: Ticket) -> bool:
    """Spam is none any more with it. False where it was open already. Raises ContactMissing and Merged."""
    return _set_status(ticket, TicketStatus.OPEN, unless={TicketStatus.OPEN})


def _set_status(ticket: Ticket, status: TicketStatus, *, unless: set[TicketStatus]) -> bool:
    with held(ticket) as stored:
        if stored.status == TicketStatus.AWAITING_CONTACT:
            raise ContactMissing
        if stored.status in unless:
            return False
        if stored.merged_into_id is not None:
            raise Merged
        stored.status = status
        stored.is_spam = stored.is_spam and status == TicketStatus.CLOSED
        save_moved(stored)
    return True
