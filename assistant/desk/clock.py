"""What follows for a ticket from its status, its priority and the rules: due times, pauses, who gets it.

The clock runs while a ticket waits for us, and stands while it waits for the customer or is settled. Nothing here
saves a ticket: whoever changes one calls `keep_time` and saves it in the same transaction.
"""

from datetime import datetime, timedelta

from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from assistant.desk import rules
from assistant.models import Assignment, Priority, RotaMember, Ticket, TicketStatus

_SETTLED = (TicketStatus.SOLVED, TicketStatus.CLOSED)


def keep_time(ticket: Ticket, *, policy: rules.Policy | None = None, now: datetime | None = None) -> None:
    """Sets due times and pauses as they follow from the ticket's status now. Safe to repeat."""
    policy = policy or rules.current()
    now = now or timezone.now()
    ticket.counted_with = policy.fingerprint
    if ticket.status not in _SETTLED:
        ticket.solved_at = None
    elif ticket.solved_at is None:
        ticket.solved_at = now
    if ticket.status != TicketStatus.PENDING:
        ticket.noticed_at = None
    if ticket.completed_at is None:
        return  # nobody can be answered yet
    if ticket.status != TicketStatus.OPEN:
        ticket.paused_since = ticket.paused_since or now
    elif ticket.paused_since is not None:
        paused = policy.calendar.between(ticket.paused_since, now)
        ticket.paused_seconds += int(paused.total_seconds())
        ticket.paused_since = None
    due = rules.due_times(
        policy, Priority(ticket.priority), ticket.completed_at, timedelta(seconds=ticket.paused_seconds)
    )
    ticket.first_reply_due_at, ticket.solve_due_at = due.reply, due.solve
    ticket.due_at = next_due(ticket)


def next_due(ticket: Ticket) -> datetime | None:
    """The nearer target that is not met; nothing is due while the ticket does not wait for us."""
    if ticket.status != TicketStatus.OPEN:
        return None
    reply = None if ticket.first_replied_at else ticket.first_reply_due_at
    nearest = min(reply or rules.NEVER, ticket.solve_due_at or rules.NEVER)
    return None if nearest == rules.NEVER else nearest


def arrive(ticket: Ticket) -> None:
    """The ticket can be answered from now on: its clock starts, and somebody may get it."""
    policy = rules.current()
    ticket.customer_wrote_at = ticket.completed_at
    if ticket.category_id is None and ticket.question_id is not None:
        ticket.category_id = _category_of(ticket)
    if ticket.assignee_id is None and policy.assignment != Assignment.OFF:
        ticket.assignee_id = _next_agent(policy.assignment)
    keep_time(ticket, policy=policy, now=ticket.completed_at)


def _category_of(ticket: Ticket) -> int | None:
    """That of the article that came closest."""
    assert ticket.question is not None
    closest = ticket.question.considered.order_by("rank").values_list("article__category", flat=True)
    return closest.first()


def _next_agent(assignment: Assignment) -> int | None:
    """Takes the turn of whoever is next; of two tickets at the same time each gets another agent."""
    while True:
        member = _rota(assignment).first()
        if member is None:
            return None
        claimed = RotaMember.objects.filter(pk=member.pk, last_given_at=member.last_given_at)
        if member.last_given_at is None:
            claimed = RotaMember.objects.filter(pk=member.pk, last_given_at__isnull=True)
        if claimed.update(last_given_at=timezone.now()):
            return int(member.user_id)


def _rota(assignment: Assignment) -> QuerySet[RotaMember]:
    here = RotaMember.objects.filter(is_here=True, user__is_active=True, user__is_staff=True)
    longest_ago = (F("last_given_at").asc(nulls_first=True), "pk")
    if assignment == Assignment.ROUND_ROBIN:
        return here.order_by(*longest_ago)
    waiting = Count("user__assigned_tickets", filter=Q(user__assigned_tickets__status=TicketStatus.OPEN))
    return here.annotate(waiting=waiting).order_by("waiting", *longest_ago)
