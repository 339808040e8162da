"""A schedule sets another floor while it runs, by the clock of its time zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from wick_api.duration import Duration
from wick_api.scale import CRON_PATTERN, Scale, ScaleSchedule
from wick_autoscaler.decisions.schedule import floor, problems, unreadable

OFFICE = ScaleSchedule(start="0 8 * * 1-5", duration=Duration(10 * 3600), min=5, time_zone="Europe/Berlin")
FRIDAY = datetime(2026, 11, 20, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("hour", "expected"),
    [("07:59", 1), ("08:00", 5), ("17:59", 5), ("18:00", 1)],
)
def test_the_floor_holds_from_the_start_for_the_duration(hour, expected):
    hours, minutes = map(int, hour.split(":"))
    seen = floor(Scale(min=1, schedules=(OFFICE,)), FRIDAY + timedelta(hours=hours, minutes=minutes))
    assert (seen.instances, seen.scheduled) == (expected, expected == 5)


def test_the_weekend_is_not_scheduled():
    assert floor(Scale(min=1, schedules=(OFFICE,)), FRIDAY + timedelta(days=1, hours=9)).instances == 1


def test_a_schedule_may_lower_the_floor():
    night = ScaleSchedule(start="0 22 * * *", duration=Duration(8 * 3600), min=0)
    assert floor(Scale(min=3, schedules=(night,)), datetime(2026, 11, 20, 3, tzinfo=UTC)).instances == 0


def test_of_several_the_highest_counts():
    schedules = (OFFICE, ScaleSchedule(start="*/5 * * * *", duration=Duration(600), min=2))
    assert floor(Scale(schedules=schedules), FRIDAY + timedelta(hours=9)).instances == 5
    assert floor(Scale(schedules=schedules), FRIDAY + timedelta(hours=20)).instances == 2


def test_it_asks_to_be_looked_at_when_it_ends_and_when_the_next_begins():
    scale = Scale(schedules=(OFFICE,))
    assert floor(scale, FRIDAY + timedelta(hours=17, minutes=30)).until == FRIDAY + timedelta(hours=18)
    assert floor(scale, FRIDAY + timedelta(hours=7, minutes=30)).until == FRIDAY + timedelta(hours=8)


def test_local_time_counts_on_both_sides_of_a_change_of_the_clocks():
    scale = Scale(schedules=(OFFICE,))
    assert floor(scale, datetime(2026, 7, 1, 6, 30, tzinfo=UTC)).instances == 5  # 08:30 in summer
    assert floor(scale, datetime(2026, 12, 1, 6, 30, tzinfo=UTC)).instances == 0  # 07:30 in winter


@pytest.mark.parametrize(
    ("start", "zone", "said"),
    [("5-1 * * * *", "UTC", "start"), ("0 0 31 2 *", "UTC", "start"), ("0 0 * * *", "Mars/Olympus", "timeZone")],
)
def test_what_cannot_be_followed_counts_for_nothing_and_is_said(start, zone, said):
    wrong = ScaleSchedule(start=start, duration=Duration(60), min=9, time_zone=zone)
    scale = Scale(min=1, schedules=(wrong,))
    assert floor(scale, FRIDAY).instances == 1
    assert said in problems(scale)[0]


@given(st.from_regex(CRON_PATTERN.replace("$", r"\Z")))
def test_whatever_the_rules_let_through_is_followed_or_said_to_be_wrong(start):
    schedule = ScaleSchedule(start=start, duration=Duration(60), min=1)
    seen = floor(Scale(schedules=(schedule,)), FRIDAY)
    assert seen.until > FRIDAY
    if not unreadable(schedule):
        next(iter(CronSim(start, FRIDAY)))
