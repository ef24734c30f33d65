"""How the desk is doing: what the assistant kept away from it, how long people waited, and who keeps coming back.

Promise: a fixed number of queries whatever the period. Times are time of business, by the rules that hold now, and the
time to solve leaves out what a ticket waited for its customer. Spam counts nowhere, a merged ticket as part of the one
that stays. Shares of few are given with their number and, for satisfaction, with a 95 % interval (Wilson 1927).

Refuses to name a share of nothing: None then.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from math import sqrt
from typing import Any, Final

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Lower
from django.utils import timezone

from assistant.desk.business_time import Calendar, DayByDay
from assistant.models import (
    Channel,
    Question,
    QuestionStatus,
    Rating,
    Ticket,
    TicketStatus,
)
from assistant.wanted import Gap, GapState

MOST_TIMED: Final = 5000  # tickets whose times are counted, the latest ones
TELLING: Final = 5  # questions or tickets; medians and shares of fewer are not shown
_SETTLED: Final = (TicketStatus.SOLVED, TicketStatus.CLOSED)
_RISING: Final = 8
RETURNING_DAYS: Final = 90
OFTEN: Final = 3  # tickets of one customer within these days
_RETURNING: Final = 10
_Z: Final = 1.96  # of a 95 % interval


@dataclass(frozen=True)
class Waits:
    """Time of business that people waited for something."""

    median: timedelta | None
    p90: timedelta | None
    count: int
    in_time: float | None  # 0..1, of those with a target
    is_cut: bool  # only the latest MOST_TIMED were counted


@dataclass(frozen=True)
class Satisfaction:
    content: int
    rated: int
    low: float | None  # 0..1, of the 95 % interval
    high: float | None

    @property
    def share(self) -> float | None:
        return self.content / self.rated if self.rated else None


@dataclass(frozen=True)
class Numbers:
    asked: int  # questions by customers that were decided
    answered: int
    deflected: int  # of those answered: nobody opened a ticket in the same conversation afterwards
    tickets: int
    by_reason: dict[str, int]  # values of TicketReason
    reply: Waits
    solve: Waits
    solved: int
    reopened: int  # tickets that were taken up again
    satisfaction: Satisfaction

    @property
    def deflection(self) -> float | None:
        return self.deflected / self.asked if self.asked else None

    @property
    def reopen_rate(self) -> float | None:
        return self.reopened / self.solved if self.solved else None


@dataclass(frozen=True)
class DeskWeek:
    start: date
    opened: int
    settled: int
    backlog: int  # unsettled at its end


@dataclass(frozen=True)
class Returning:
    """A customer who asks again and again."""

    email: str
    tickets: int  # within RETURNING_DAYS
    open: int
    reopened: int
    not_content: int
    sensitive: int
    latest: datetime = field(compare=False)


def numbers(start: datetime, end: datetime, calendar: Calendar) -> Numbers:
    """Of what happened from `start` on and before `end`."""
    within = Q(created_at__gte=start, created_at__lt=end)
    opened_later = Ticket.objects.filter(
        conversation=OuterRef("conversation"), created_at__gte=OuterRef("created_at"), is_spam=False
    )
    is_answered = Q(status=QuestionStatus.ANSWERED)
    asked = (
        Question.objects.filter(within)
        .exclude(status=QuestionStatus.RECEIVED)
        .exclude(channel=Channel.CLI)  # staff trying it out
        .aggregate(
            all=Count("pk"),
            answered=Count("pk", filter=is_answered),
            deflected=Count("pk", filter=is_answered & Q(~Exists(opened_later))),
        )
    )
    tickets = _counted()
    reasons = Counter(
        dict(tickets.filter(within).order_by().values_list("reason").annotate(count=Count("pk")))
    )
    rated = Rating.objects.filter(created_at__gte=start, created_at__lt=end).aggregate(
        all=Count("pk"), content=Count("pk", filter=Q(is_content=True))
    )
    return Numbers(
        asked=asked["all"],
        answered=asked["answered"],
        deflected=asked["deflected"],
        tickets=sum(reasons.values()),
        by_reason=dict(reasons.most_common()),
        reply=_waits(tickets, "first_replied_at", "first_reply_due_at", start, end, calendar),
        solve=_waits(tickets, "solved_at", "solve_due_at", start, end, calendar),
        solved=tickets.filter(solved_at__gte=start, solved_at__lt=end).count(),
        reopened=len(_reopened(start, end)),
        satisfaction=satisfaction(content=rated["content"], rated=rated["all"]),
    )


def satisfaction(*, content: int, rated: int) -> Satisfaction:
    if not rated:
        return Satisfaction(0, 0, None, None)
    share = content / rated
    spread = 1 + _Z**2 / rated
    middle = (share + _Z**2 / (2 * rated)) / spread
    half = _Z * sqrt(share * (1 - share) / rated + _Z**2 / (4 * rated**2)) / spread
    return Satisfaction(content, rated, max(0.0, middle - half), min(1.0, middle + half))


def by_week(weeks: int, *, now: datetime) -> list[DeskWeek]:
    """The last `weeks`, oldest first, the one that has begun included.

    A ticket counts as settled from its last solution on: one that was taken up again never was.
    """
    today = timezone.localdate(now)
    first = today - timedelta(days=today.weekday() + 7 * (weeks - 1))
    starts = [first + timedelta(days=7 * index) for index in range(weeks)]
    rows = _counted().exclude(completed_at=None)
    begun, ended = Counter[date](), Counter[date]()
    before = 0
    for completed_at, solved_at in rows.filter(
        Q(completed_at__gte=_midnight(first)) | Q(solved_at__gte=_midnight(first)) | ~Q(status__in=_SETTLED)
    ).values_list("completed_at", "solved_at"):
        assert completed_at is not None  # excluded above
        opened = _week(completed_at)
        if opened >= first:
            begun[opened] += 1
        else:
            before += 1  # and still there when the first week began
        if solved_at is not None:
            ended[_week(solved_at)] += 1
    found = []
    for start in starts:
        before += begun[start] - ended[start]
        found.append(DeskWeek(start, begun[start], ended[start], before))
    return found


def rising() -> Sequence[Gap]:
    """Topics without a good answer that are asked more often now than a month ago."""
    return list(
        Gap.objects.filter(state=GapState.OPEN, recent__gt=F("before"))
        .order_by(F("before") - F("recent"), "-size", "pk")
        .select_related("nearest")[:_RISING]
    )


def returning(*, now: datetime) -> list[Returning]:
    """Who wrote OFTEN or more tickets lately, with what makes that a risk. For staff who may read tickets."""
    since = now - timedelta(days=RETURNING_DAYS)
    rows = list(
        _counted()
        .filter(created_at__gte=since)
        .exclude(contact_email="")
        .annotate(email=Lower("contact_email"))
        .order_by()
        .values("email")
        .annotate(
            tickets=Count("pk"),
            open=Count("pk", filter=~Q(status__in=_SETTLED)),
            not_content=Count("pk", filter=Q(rating__is_content=False)),
            sensitive=Count("pk", filter=~Q(matter="") & ~Q(matter="person")),
        )
        .filter(tickets__gte=OFTEN)
        .order_by("-tickets", "-not_content", "email")[:_RETURNING]
    )
    emails = [row["email"] for row in rows]
    again = Counter[str]()
    latest: dict[str, datetime] = {}
    reopened = _reopened(since, now)
    for pk, email, created_at in (
        _counted()
        .filter(created_at__gte=since)
        .annotate(email=Lower("contact_email"))
        .filter(email__in=emails)
        .values_list("pk", "email", "created_at")
    ):
        again[email] += pk in reopened
        latest[email] = max(created_at, latest.get(email, created_at))
    return [Returning(**row, reopened=again[row["email"]], latest=latest[row["email"]]) for row in rows]


def _counted() -> QuerySet[Ticket]:
    return Ticket.objects.filter(is_spam=False, merged_into=None)


def _waits(
    tickets: QuerySet[Ticket], done: str, due: str, start: datetime, end: datetime, calendar: Calendar
) -> Waits:
    # The pauses are those of the whole ticket; before its first reply it has seldom waited for anybody.
    pauses = "paused_seconds" if done == "solved_at" else "completed_at"
    rows: list[tuple[Any, ...]] = list(
        tickets.filter(**{f"{done}__gte": start, f"{done}__lt": end})
        .exclude(completed_at=None)
        .order_by(f"-{done}")
        .values_list("completed_at", done, due, pauses)[: MOST_TIMED + 1]
    )
    timed = rows[:MOST_TIMED]
    business = DayByDay(calendar)
    spans = sorted(
        max(
            timedelta(),
            business.between(began, ended)
            - (timedelta(seconds=paused) if isinstance(paused, int) else timedelta()),
        )
        for began, ended, _due, paused in timed
    )
    promised = [ended <= limit for _began, ended, limit, _paused in timed if limit is not None]
    return Waits(
        median=_at(spans, 0.5),
        p90=_at(spans, 0.9),
        count=len(spans),
        in_time=sum(promised) / len(promised) if promised else None,
        is_cut=len(rows) > MOST_TIMED,
    )


def _at(spans: Sequence[timedelta], share: float) -> timedelta | None:
    """The value that `share` of them do not exceed. Of too few: None."""
    return None if len(spans) < TELLING else spans[min(len(spans) - 1, int(share * len(spans)))]


def _reopened(start: datetime, end: datetime) -> set[int]:
    """Tickets that were settled and then were not, by their history."""
    steps = Ticket.history.model.objects
    before = steps.filter(id=OuterRef("id"), history_id__lt=OuterRef("history_id")).order_by("-history_id")
    back = (
        steps.filter(history_date__gte=start, history_date__lt=end, id__in=_counted().values("pk"))
        .exclude(status__in=_SETTLED)
        .annotate(was=Subquery(before.values("status")[:1]))
        .filter(was__in=_SETTLED)
    )
    return set(back.values_list("id", flat=True))


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _week(moment: datetime) -> date:
    day = timezone.localtime(moment).date()
    return day - timedelta(days=day.weekday())
