"""What rules would have done with the tickets of the past, before anybody makes them the rules.

Promise: `replay` is pure, and reads the past as it was: when each ticket waited for us, for its customer or for nobody,
from its history. It changes nothing. What people would have done differently under other rules it cannot know.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from django.utils import timezone

from assistant.desk.rules import Policy
from assistant.models import Assignment, Priority, RotaMember, Ticket, TicketStatus

DAYS = 90
MOST_TICKETS = 2000
_EXAMPLES = 8


@dataclass(frozen=True)
class Stay:
    """How long a ticket was in one status."""

    status: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class PastTicket:
    pk: int
    reference: str
    subject: str
    priority: Priority
    opened: datetime  # when it could be answered
    first_replied: datetime | None
    stays: tuple[Stay, ...]  # in order; the last one ends now


@dataclass(frozen=True)
class Missed:
    ticket: PastTicket
    what: str  # reply | solve
    due: datetime


@dataclass
class Tally:
    """Of the tickets of one priority. Those with no target, or not decided yet, are in neither count."""

    tickets: int = 0
    reply_met: int = 0
    reply_missed: int = 0
    solve_met: int = 0
    solve_missed: int = 0


@dataclass
class Report:
    tickets: int = 0
    tallies: dict[Priority, Tally] = field(default_factory=lambda: defaultdict(Tally))
    examples: list[Missed] = field(default_factory=list)  # the latest of those missed
    notices: int = 0
    settled: int = 0  # after a notice
    closed: int = 0
    given: Mapping[str, int] = field(default_factory=dict)  # tickets by agent
    nobody_to_give_to: bool = False

    @property
    def missed(self) -> int:
        return sum(one.reply_missed + one.solve_missed for one in self.tallies.values())


def replay(tickets: Sequence[PastTicket], policy: Policy, agents: Sequence[str], now: datetime) -> Report:
    report = Report(tickets=len(tickets))
    missed: list[Missed] = []
    for ticket in tickets:
        tally = report.tallies[ticket.priority]
        tally.tickets += 1
        missed += _count_targets(ticket, policy, tally, now)
        _count_silence(ticket, policy, report)
    report.examples = sorted(missed, key=lambda one: one.due, reverse=True)[:_EXAMPLES]
    if policy.assignment != Assignment.OFF:
        report.nobody_to_give_to = not agents
        report.given = _given(tickets, policy.assignment, agents)
    return report


def past_tickets(now: datetime | None = None) -> list[PastTicket]:
    """Of the last 90 days, the latest 2 000; in two queries."""
    now = now or timezone.now()
    rows = list(
        Ticket.objects.filter(completed_at__gte=now - timedelta(days=DAYS), is_spam=False, merged_into=None)
        .only("reference", "subject", "priority", "completed_at", "first_replied_at", "status")
        .order_by("-completed_at")[:MOST_TICKETS]
    )
    moved: dict[int, list[tuple[datetime, str]]] = defaultdict(list)
    records = Ticket.history.filter(id__in=[row.pk for row in rows]).order_by("history_date", "history_id")
    for pk, moment, status in records.values_list("id", "history_date", "status"):
        if not moved[pk] or moved[pk][-1][1] != status:
            moved[pk].append((moment, status))
    return [
        PastTicket(
            pk=row.pk,
            reference=row.reference,
            subject=row.subject,
            priority=Priority(row.priority),
            opened=row.completed_at,
            first_replied=row.first_replied_at,
            stays=_stays(moved[row.pk] or [(row.completed_at, row.status)], now),
        )
        for row in rows
        if row.completed_at is not None
    ]


def agents_here() -> list[str]:
    members = RotaMember.objects.filter(is_here=True, user__is_active=True).select_related("user")
    return [str(member.user) for member in members]


def _stays(moves: Sequence[tuple[datetime, str]], now: datetime) -> tuple[Stay, ...]:
    ends = [*moves, (max(now, moves[-1][0]), "")]
    return tuple(Stay(status, start, end) for (start, status), (end, _next) in pairwise(ends))


def _count_targets(ticket: PastTicket, policy: Policy, tally: Tally, now: datetime) -> list[Missed]:
    missed = []
    targets = policy.targets[ticket.priority]
    if targets.reply is not None:
        due = policy.calendar.after(ticket.opened, targets.reply)
        settled = next((stay.start for stay in ticket.stays if stay.status in _SETTLED), None)
        answered = min(filter(None, (ticket.first_replied, settled)), default=None)  # some need no word
        if due is not None and (answered or now) > due:
            tally.reply_missed += 1
            missed.append(Missed(ticket, "reply", due))
        elif answered is not None:
            tally.reply_met += 1
    if targets.solve is not None:
        due = _solution_missed(ticket, policy, targets.solve)
        if due is not None:
            tally.solve_missed += 1
            missed.append(Missed(ticket, "solve", due))
        elif ticket.stays[-1].status in _SETTLED:
            tally.solve_met += 1
    return missed


_SETTLED = (TicketStatus.SOLVED, TicketStatus.CLOSED)


def _solution_missed(ticket: PastTicket, policy: Policy, target: timedelta) -> datetime | None:
    """When the target was missed: business time counts only while the ticket waited for us."""
    for stay in ticket.stays:
        if stay.status != TicketStatus.OPEN:
            continue
        due = policy.calendar.after(stay.start, target)
        if due is not None and due < stay.end:
            return due
        target -= policy.calendar.between(stay.start, stay.end)
    return None


def _count_silence(ticket: PastTicket, policy: Policy, report: Report) -> None:
    for stay in ticket.stays:
        lasted = stay.end - stay.start
        if stay.status == TicketStatus.PENDING and policy.silence is not None:
            report.notices += lasted >= policy.silence
            report.settled += lasted >= policy.silence + policy.grace
        if stay.status == TicketStatus.SOLVED and policy.closes_after is not None:
            report.closed += lasted >= policy.closes_after


def _given(tickets: Sequence[PastTicket], assignment: Assignment, agents: Sequence[str]) -> Mapping[str, int]:
    given: Counter[str] = Counter(dict.fromkeys(agents, 0))
    waiting: dict[str, list[PastTicket]] = {agent: [] for agent in agents}
    turn = list(agents)  # whose turn is longest ago comes first
    for ticket in sorted(tickets, key=lambda one: one.opened) if agents else ():
        if assignment == Assignment.ROUND_ROBIN:
            agent = turn[0]
        else:
            agent = min(turn, key=lambda one: sum(_waits(past, ticket.opened) for past in waiting[one]))
            waiting[agent].append(ticket)
        turn.remove(agent)
        turn.append(agent)
        given[agent] += 1
    return dict(given)


def _waits(ticket: PastTicket, moment: datetime) -> bool:
    return any(stay.status == TicketStatus.OPEN and stay.start <= moment < stay.end for stay in ticket.stays)
