"""`scale.schedules`: another floor while a schedule runs, by the wall clock of its time zone.

    start (cron)          start + duration
        |----- min: 5 ---------|                 several at once: the highest min; none: `scale.min`

Each run is `duration` of real time from a moment the cron names, so a run over a change of the clocks is neither
shortened nor prolonged. Cron expressions, their days of the week and clock changes are cronsim's.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from msgspec import Struct

from wick_api.scale import Scale, ScaleSchedule

_RECHECK = timedelta(hours=1)
_MOST_STARTS = 24 * 60
"""Every minute of the longest run."""


class ScheduledMinimum(Struct, frozen=True):
    """The least number of instances at one moment."""

    instances: int
    scheduled: bool
    """A schedule set it, not `scale.min`."""
    until: datetime
    """When to ask again, at the latest."""


def floor(scale: Scale, now: datetime) -> ScheduledMinimum:
    """The floor at `now`, which knows its time zone. A schedule that cannot be read counts for nothing: `problems`."""
    running: list[int] = []
    changes = [now + _RECHECK]
    for schedule in scale.schedules:
        if unreadable(schedule):
            continue
        ends, begins = _run(schedule, now)
        changes.append(begins)
        if ends is not None:
            running.append(schedule.min)
            changes.append(ends)
    return ScheduledMinimum(max(running, default=scale.min), bool(running), min(changes))


def _run(schedule: ScaleSchedule, now: datetime) -> tuple[datetime | None, datetime]:
    """When the run that is on at `now` ends, None for none; and when the next one begins."""
    local, length = now.astimezone(ZoneInfo(schedule.time_zone)), timedelta(seconds=schedule.duration)
    starts = takewhile(lambda start: start <= now, _starts(schedule, local - length))
    last = max(starts, default=None)
    begins = next(iter(CronSim(schedule.start, local)))
    return (last + length if last is not None and last + length > now else None), begins


def _starts(schedule: ScaleSchedule, after: datetime) -> Iterable[datetime]:
    return (start for start, _ in zip(CronSim(schedule.start, after), range(_MOST_STARTS + 1), strict=False))


def unreadable(schedule: ScaleSchedule) -> str:
    """Why a schedule that passed the CRD's rules cannot be followed; empty when it can."""
    try:
        zone = ZoneInfo(schedule.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"timeZone: no time zone {schedule.time_zone!r} is known"
    try:
        next(iter(CronSim(schedule.start, datetime(2026, 1, 1, tzinfo=zone))))
    except (CronSimError, StopIteration) as error:
        return f"start: {schedule.start!r} never comes: {str(error) or 'no such date'}"
    return ""


def problems(scale: Scale) -> list[str]:
    """What the author of these schedules must mend, field first."""
    return [
        f"spec.scale.schedules[{position}].{why}"
        for position, schedule in enumerate(scale.schedules)
        if (why := unreadable(schedule))
    ]
