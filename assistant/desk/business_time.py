"""Time of business: how much of it passes between two moments, and when so much of it has passed.

Promise: pure and exact to the second, also where clocks are put forward or back: a span of opening hours lasts as long
as it does on that day. Moments are aware; what comes back is in UTC. A span that ends at a moment ends there: what is
due when the shop closes is due then and not when it opens next.

Refuses to decide which hours and holidays hold (`assistant.desk.rules`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from knowledge.opening import MIDNIGHT, Week

_DAY: Final = timedelta(days=1)
_ALL_DAY: Final = ((time(0), MIDNIGHT),)
# Somebody who is closed for longer than this is never there again, as far as any target goes.
_LONGEST_CLOSURE: Final = timedelta(days=3 * 366)


@dataclass(frozen=True)
class Calendar:
    """Seven days from Monday on, in local time of `zone`. A week without any hours: round the clock."""

    week: Week
    zone: tzinfo
    holidays: frozenset[date] = field(default_factory=frozenset)
    yearly_holidays: frozenset[tuple[int, int]] = field(default_factory=frozenset)  # (month, day)

    @property
    def is_round_the_clock(self) -> bool:
        return not any(self.week)

    def is_holiday(self, day: date) -> bool:
        return day in self.holidays or (day.month, day.day) in self.yearly_holidays

    def after(self, moment: datetime, amount: timedelta) -> datetime | None:
        """When `amount` of business time has passed since `moment`. None: that never happens."""
        if amount <= timedelta():
            return moment.astimezone(UTC)
        for opens, closes in self._openings(moment):
            if amount <= closes - opens:
                return opens + amount
            amount -= closes - opens
        return None

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Business time from `start` to `end`; none where `end` is not later."""
        total = timedelta()
        end = end.astimezone(UTC)
        for opens, closes in self._openings(start, until=end):
            total += max(min(closes, end) - opens, timedelta())
        return total

    def _openings(
        self, start: datetime, *, until: datetime | None = None
    ) -> Iterator[tuple[datetime, datetime]]:
        """What is left of the opening hours from `start` on, in order and without overlaps."""
        reached = start.astimezone(UTC)
        day = start.astimezone(self.zone).date()
        last_open = reached
        while reached - last_open < _LONGEST_CLOSURE:
            if until is not None and _instant(day, time(0), self.zone) >= until:
                return
            for opens, closes in self._spans(day):
                # Of an hour that comes twice, the first opening and the last closing.
                begin = max(_instant(day, opens, self.zone), reached)
                end = _instant(day, closes, self.zone, is_last=True)
                if end > begin:
                    yield begin, end
                    reached = last_open = end
            day += _DAY
            reached = max(reached, _instant(day, time(0), self.zone))

    def _spans(self, day: date) -> tuple[tuple[time, time], ...]:
        if self.is_holiday(day):
            return ()
        return _ALL_DAY if self.is_round_the_clock else tuple(self.week[day.weekday()])


class DayByDay:
    """`Calendar.between` for many spans of one calendar: each whole day is looked at once."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._days: dict[date, timedelta] = {}

    def between(self, start: datetime, end: datetime) -> timedelta:
        """As `Calendar.between`, to the second."""
        zone = self._calendar.zone
        first, last = start.astimezone(zone).date() + _DAY, end.astimezone(zone).date()
        if first >= last:
            return self._calendar.between(start, end)
        total = self._calendar.between(start, _instant(first, time(0), zone))
        for number in range((last - first).days):
            total += self._of(first + number * _DAY)
        return total + self._calendar.between(_instant(last, time(0), zone), end)

    def _of(self, day: date) -> timedelta:
        if day not in self._days:
            zone = self._calendar.zone
            self._days[day] = self._calendar.between(
                _instant(day, time(0), zone), _instant(day + _DAY, time(0), zone)
            )
        return self._days[day]


def _instant(day: date, clock: time, zone: tzinfo, *, is_last: bool = False) -> datetime:
    """The moment when clocks in `zone` show this. One that is skipped: when they are put forward."""
    if clock == MIDNIGHT:
        day, clock = day + _DAY, time(0)
    local = datetime.combine(day, clock, tzinfo=zone).replace(fold=int(is_last))
    found = local.astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return found
    before, after = (local.replace(fold=fold).astimezone(UTC) for fold in (1, 0))
    offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)
