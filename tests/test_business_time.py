"""Time of business: opening hours, nights, holidays, and days on which clocks are put forward or back."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.desk.business_time import Calendar, DayByDay
from knowledge.opening import read_day

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = ("9-12, 13-17",) * 5 + ("", "")  # 7 hours on each day from Monday to Friday
HOUR = timedelta(hours=1)


def calendar(*days: str, holidays=(), yearly=(), zone=BERLIN) -> Calendar:
    week = tuple(read_day(day) for day in (days or ("",) * 7))
    return Calendar(week, zone, frozenset(holidays), frozenset(yearly))


def at(text: str, zone=BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("start", "hours", "expected"),
    [
        ("2026-06-01 10:00", 1, "2026-06-01 11:00"),  # a Monday
        ("2026-06-01 11:30", 1, "2026-06-01 13:30"),  # over lunch
        ("2026-06-01 11:00", 1, "2026-06-01 12:00"),  # due when it closes, not when it opens next
        ("2026-06-01 12:30", 1, "2026-06-01 14:00"),
        ("2026-06-01 16:30", 1, "2026-06-02 09:30"),  # over night
        ("2026-06-01 07:00", 7, "2026-06-01 17:00"),
        ("2026-06-05 16:30", 1, "2026-06-08 09:30"),  # over the weekend
        ("2026-06-06 12:00", 2, "2026-06-08 11:00"),
        ("2026-06-01 09:00", 35, "2026-06-05 17:00"),  # a whole week
        ("2026-06-01 09:00", 70.5, "2026-06-15 09:30"),
        ("2026-06-01 03:00", 0, "2026-06-01 03:00"),  # at once is at once
    ],
)
def test_time_passes_only_while_somebody_is_there(start, hours, expected):
    office = calendar(*OFFICE)
    due = office.after(at(start), hours * HOUR)
    assert due == at(expected)
    assert office.between(at(start), due) == hours * HOUR


def test_holidays_are_days_without_hours():
    office = calendar(*OFFICE, holidays=[date(2026, 6, 4)], yearly=[(12, 25)])
    assert office.after(at("2026-06-03 16:00"), 2 * HOUR) == at("2026-06-05 10:00")
    assert office.after(at("2026-12-24 16:00"), 2 * HOUR) == at("2026-12-28 10:00")
    assert office.after(at("2028-12-22 17:00"), HOUR) == at("2028-12-26 10:00"), "every year"
    assert office.between(at("2026-06-04 00:00"), at("2026-06-05 00:00")) == timedelta()


def test_a_day_on_29_february_comes_every_fourth_year():
    office = calendar(*OFFICE, yearly=[(2, 29)])
    assert office.after(at("2028-02-28 16:00"), 2 * HOUR) == at("2028-03-01 10:00")
    assert office.after(at("2027-02-26 16:00"), 2 * HOUR) == at("2027-03-01 10:00")


def test_without_hours_it_is_round_the_clock_but_for_holidays():
    always = calendar(holidays=[date(2026, 6, 2)])
    assert always.after(at("2026-06-01 23:00"), HOUR) == at("2026-06-02 00:00")
    assert always.after(at("2026-06-01 23:00"), 2 * HOUR) == at("2026-06-03 01:00")


def test_a_night_shift_is_written_as_two_spans_and_counts_as_one():
    nights = calendar(*("0-6, 22-24",) * 7)
    assert nights.after(at("2026-06-01 21:00"), 8 * HOUR) == at("2026-06-02 06:00")
    assert nights.between(at("2026-06-01 21:00"), at("2026-06-02 12:00")) == 8 * HOUR
    assert nights.after(at("2026-06-01 23:30"), HOUR) == at("2026-06-02 00:30"), (
        "no second is lost at midnight"
    )


@pytest.mark.parametrize(
    ("day", "spans", "lasts"),
    [
        ("2026-03-29", "1-4", 2),  # clocks skip the hour from 2 to 3
        ("2026-03-29", "2-3", 0),
        ("2026-03-29", "2:30-4", 1),  # opens when clocks show 3
        ("2026-03-29", "1-2:30", 1),  # closes when they do
        ("2026-03-29", "0-24", 23),
        ("2026-10-25", "1-4", 4),  # the hour from 2 to 3 comes twice
        ("2026-10-25", "2-3", 2),
        ("2026-10-25", "2:30-4", 2.5),
        ("2026-10-25", "1-2:30", 2.5),
        ("2026-10-25", "2-2:30, 2:30-3", 2),  # and is not counted twice
        ("2026-10-25", "0-24", 25),
        ("2026-06-07", "0-24", 24),
    ],
)
def test_hours_are_as_long_as_they_are_on_the_day_the_clocks_change(day, spans, lasts):
    sundays = calendar("", "", "", "", "", "", spans)
    start, end = at(f"{day} 00:00"), at(f"{day} 00:00") + timedelta(days=1)
    assert sundays.between(start, end) == lasts * HOUR


def test_a_target_over_the_weekend_of_the_change_is_due_at_the_hour_on_the_wall():
    office = calendar(*OFFICE)
    for friday, monday in (("2026-03-27", "2026-03-30"), ("2026-10-23", "2026-10-26")):
        assert office.after(at(f"{friday} 16:00"), 2 * HOUR) == at(f"{monday} 10:00")


def test_moments_of_other_zones_are_the_same_moments():
    office = calendar(*OFFICE)
    assert office.after(datetime(2026, 6, 1, 8, tzinfo=UTC), HOUR) == datetime(2026, 6, 1, 9, tzinfo=UTC)
    tokyo = calendar(*OFFICE, zone=ZoneInfo("Asia/Tokyo"))
    assert tokyo.after(datetime(2026, 6, 1, 0, tzinfo=UTC), HOUR) == datetime(2026, 6, 1, 1, tzinfo=UTC)


def test_who_is_never_there_is_never_late():
    every_day = [(day.month, day.day) for day in (date(2028, 1, 1) + timedelta(n) for n in range(366))]
    closed = calendar(*OFFICE, yearly=every_day)
    assert closed.after(at("2026-06-01 10:00"), HOUR) is None
    assert closed.between(at("2026-06-01 10:00"), at("2027-06-01 10:00")) == timedelta()
    gap = calendar(*OFFICE, holidays=[date(2026, 6, 1) + timedelta(n) for n in range(500)])
    assert gap.after(at("2026-06-01 10:00"), HOUR) == at("2027-10-14 10:00"), "a long closure ends"


def test_nothing_passes_backwards():
    office = calendar(*OFFICE)
    assert office.between(at("2026-06-02 10:00"), at("2026-06-01 10:00")) == timedelta()


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(
    lambda naive: naive.replace(tzinfo=UTC)
)


@settings(max_examples=150, deadline=None)
@given(start=MOMENTS, minutes=st.integers(1, 6000), more=st.integers(1, 6000))
def test_what_is_added_has_passed_and_more_comes_later(start, minutes, more):
    office = calendar(*OFFICE, holidays=[date(2026, 6, 4)], yearly=[(12, 25)])
    first = office.after(start, timedelta(minutes=minutes))
    second = office.after(start, timedelta(minutes=minutes + more))
    assert first is not None and second is not None
    assert office.between(start, first) == timedelta(minutes=minutes)
    assert first < second
    assert office.after(first, timedelta(minutes=more)) == second


@settings(max_examples=150, deadline=None)
@given(
    start=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)),
    minutes=st.integers(-600, 90 * 24 * 60),
    hours=st.sampled_from([OFFICE, ("0-6, 22-24",) * 7, ()]),
)
def test_day_by_day_it_is_the_same_time(start, minutes, hours):
    of_the_site = calendar(*hours, holidays=[date(2026, 5, 1)])
    business = DayByDay(of_the_site)
    began = start.replace(tzinfo=BERLIN)
    ended = began.astimezone(UTC) + timedelta(minutes=minutes)
    for _time in range(2):  # the second one finds its days counted
        assert business.between(began, ended) == of_the_site.between(began, ended)
