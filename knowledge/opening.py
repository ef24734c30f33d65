"""When people are there to answer: a week of opening hours, and where a moment stands in it.

Promise: pure. Times are local to the site (TIME_ZONE); days count from Monday = 0.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Final, TypeAlias

_SPAN: Final = re.compile(r"(\d{1,2})(?:[:.](\d{2}))?\s*(?:[-–—]|bis|to)\s*(\d{1,2})(?:[:.](\d{2}))?")

Span: TypeAlias = tuple[time, time]  # opens, closes; 23:59:59 for midnight
Week: TypeAlias = Sequence[Sequence[Span]]  # seven days

MIDNIGHT: Final = time(23, 59, 59)  # as a closing: the end of the day


class BadHours(ValueError):
    """Hours that cannot be read; `found` is the part."""

    def __init__(self, found: str) -> None:
        super().__init__(found)
        self.found = found


@dataclass(frozen=True)
class Standing:
    """Whether somebody is there, until when, or from when on."""

    is_open: bool
    until: datetime | None = None  # of the present opening
    next_from: datetime | None = None  # None: it never opens


def read_day(text: str) -> tuple[Span, ...]:
    """`9-12, 13:00–17:30` as spans; nothing is closed. Raises BadHours."""
    spans = []
    for part in filter(None, (piece.strip() for piece in re.split(r"[,;]", text))):
        found = _SPAN.fullmatch(part.lower().replace("uhr", "").strip())
        if found is None:
            raise BadHours(part)
        opens, closes = _clock(found[1], found[2], part), _clock(found[3], found[4], part)
        if closes <= opens:
            raise BadHours(part)
        spans.append((opens, closes))
    spans.sort()
    for (_start, before), (after, _end) in pairwise(spans):
        if after < before:
            raise BadHours(text)
    return tuple(spans)


def written(spans: Sequence[Span]) -> str:
    """As `read_day` reads it: 09:00–12:00, 13:00–17:30."""
    return ", ".join(f"{_shown(opens)}–{_shown(closes)}" for opens, closes in spans)


def grouped(week: Week) -> list[tuple[int, int, Sequence[Span]]]:
    """Runs of days with the same hours, as (first day, last day, spans); closed days are left out."""
    runs: list[tuple[int, int, Sequence[Span]]] = []
    for day, spans in enumerate(week):
        if runs and runs[-1][1] == day - 1 and tuple(runs[-1][2]) == tuple(spans):
            runs[-1] = (runs[-1][0], day, spans)
        else:
            runs.append((day, day, spans))
    return [run for run in runs if run[2]]


def standing(week: Week, now: datetime, is_holiday: Callable[[date], bool] | None = None) -> Standing:
    """`now` in local time; so are the answers. Looks four weeks ahead."""
    for ahead in range(29):
        day = now + timedelta(days=ahead)
        if is_holiday is not None and is_holiday(day.date()):
            continue
        for opens, closes in week[day.weekday()]:
            start, end = (day.replace(hour=t.hour, minute=t.minute, second=t.second, microsecond=0)
                          for t in (opens, closes))  # fmt: skip
            if start <= now < end:
                return Standing(is_open=True, until=end)
            if start > now:
                return Standing(is_open=False, next_from=start)
    return Standing(is_open=False)


def _clock(hour: str, minute: str | None, part: str) -> time:
    if int(hour) == 24 and int(minute or 0) == 0:
        return MIDNIGHT
    try:
        return time(int(hour), int(minute or 0))
    except ValueError as error:
        raise BadHours(part) from error


def _shown(clock: time) -> str:
    return "24:00" if clock == MIDNIGHT else f"{clock:%H:%M}"
