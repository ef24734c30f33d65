"""The rules of the desk as they hold now: one value, made from the rows that administrators edit.

Promise: `due_times` is pure. Whoever has to know whether a ticket was counted with other rules compares fingerprints.

Refuses to decide: when a ticket is looked at (`assistant.desk.clock`, `assistant.desk.sweep`).
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from assistant.desk.business_time import Calendar
from assistant.models import Assignment, DeskRules, Holiday, Priority
from knowledge import site


@dataclass(frozen=True)
class Targets:
    """Business time from the moment when the ticket could be answered. None: no target."""

    reply: timedelta | None
    solve: timedelta | None


@dataclass(frozen=True)
class Policy:
    calendar: Calendar
    targets: Mapping[Priority, Targets]
    escalates: bool
    escalation_addresses: tuple[str, ...]
    assignment: Assignment
    routes_from: float | None  # 0..1; the confidence from which a suggestion is applied. None: never
    silence: timedelta | None  # days of the week like any others
    grace: timedelta
    closes_after: timedelta | None
    surveys: bool

    @property
    def fingerprint(self) -> str:
        """Of what due times follow from."""
        parts = (
            self.calendar.week,
            str(self.calendar.zone),
            sorted(self.calendar.holidays),
            sorted(self.calendar.yearly_holidays),
            sorted((int(priority), one.reply, one.solve) for priority, one in self.targets.items()),
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class DueTimes:
    reply: datetime | None
    solve: datetime | None


def due_times(policy: Policy, priority: Priority, opened: datetime, paused: timedelta) -> DueTimes:
    """`paused` is the business time in which the ticket did not wait for us; the solution is due so much later."""
    targets = policy.targets[priority]
    return DueTimes(
        reply=None if targets.reply is None else policy.calendar.after(opened, targets.reply),
        solve=None if targets.solve is None else policy.calendar.after(opened, targets.solve + paused),
    )


def current() -> Policy:
    """Two queries, and one for the site's hours where the request has not read them yet."""
    return policy_of(stored_rules(), Holiday.objects.all())


def holidays() -> Callable[[date], bool]:
    """For the public pages: whether nobody is there on a day. One query."""
    days = list(Holiday.objects.all())
    once = {one.date for one in days if not one.every_year}
    yearly = {(one.date.month, one.date.day) for one in days if one.every_year}
    return lambda day: day in once or (day.month, day.day) in yearly


def stored_rules() -> DeskRules:
    """The row, or what holds as long as nobody has saved one."""
    return DeskRules.objects.first() or DeskRules(pk=1)


def policy_of(rules: DeskRules, holidays: Iterable[Holiday]) -> Policy:
    days = list(holidays)
    return Policy(
        calendar=Calendar(
            week=tuple(tuple(day) for day in site.current().week),
            zone=timezone.get_default_timezone(),
            holidays=frozenset(one.date for one in days if not one.every_year),
            yearly_holidays=frozenset((one.date.month, one.date.day) for one in days if one.every_year),
        ),
        targets={priority: Targets(*map(_span, rules.hours(priority))) for priority in Priority},
        escalates=rules.escalates,
        escalation_addresses=tuple(rules.escalation_addresses),
        assignment=Assignment(rules.assignment),
        routes_from=None if rules.routes_from is None else rules.routes_from / 100,
        silence=_days(rules.silence_days),
        grace=timedelta(days=rules.grace_days),
        closes_after=_days(rules.close_days),
        surveys=rules.surveys,
    )


def _span(hours: Decimal | None) -> timedelta | None:
    return None if hours is None else timedelta(hours=float(hours))


def _days(days: int | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)


NEVER = datetime.max.replace(tzinfo=UTC)  # later than anything that is due
