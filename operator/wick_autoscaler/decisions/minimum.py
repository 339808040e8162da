"""The least number of instances one function should have now: `min`, or what a schedule or the forecast makes of it."""

import math
from datetime import datetime

from wick_api.scale import Scale
from wick_autoscaler.decisions import schedule
from wick_autoscaler.decisions.decision import Why
from wick_autoscaler.decisions.prediction import Seasons

_RECHECK = 15.0
"""Seconds after which the forecast is looked at again; slots are longer."""


class Minimum:
    """One function's floor. Keeps the seasons it learns from, acted upon or not."""

    __slots__ = ("_due", "_scale", "_scheduled", "_seasons", "_wanted", "forecast", "instances", "why")

    def __init__(self, scale: Scale) -> None:
        self._seasons: Seasons | None = None
        self._wanted = 0
        self.forecast = 0
        """What the prediction asks for, whether it is enabled or not."""
        self.adjust(scale)

    def adjust(self, scale: Scale) -> None:
        """The Function was edited."""
        self._scale, self._due = scale, 0.0
        self._scheduled: schedule.ScheduledMinimum | None = None
        self.instances, self.why = scale.min, Why.MIN
        if self._seasons is not None:
            self._seasons = self._seasons.adjust(scale.prediction)

    def record(self, now: datetime, wanted: int) -> None:
        """Learn what the demand alone asked for; what stays the same is learnt by `look`."""
        if wanted == self._wanted:
            return
        if self._seasons is None:
            self._seasons = Seasons(self._scale.prediction)
        self._wanted = wanted
        self._seasons.record(now.timestamp(), wanted)

    def wait(self, now: datetime) -> float:
        """Seconds until a schedule or the forecast may move the floor; infinity where neither can."""
        moves = self._scale.schedules or (self._scale.prediction.enabled and self._seasons is not None)
        return max(0.0, self._due - now.timestamp()) if moves else math.inf

    def look(self, now: datetime) -> bool:
        """Bring the floor up to date; whether it moved."""
        seconds = now.timestamp()
        if seconds < self._due:
            return False
        before = self.instances, self.why
        self._due = seconds + _RECHECK
        self.instances, self.why = self._by_schedule(now)
        if self._seasons is not None:
            self._seasons.record(seconds, self._wanted)
            self.forecast = min(self._seasons.forecast(seconds), self._scale.max)
        if self._scale.prediction.enabled and self.forecast > self.instances:
            self.instances, self.why = self.forecast, Why.PREDICTION
        return (self.instances, self.why) != before

    def _by_schedule(self, now: datetime) -> tuple[int, Why]:
        if not self._scale.schedules:
            return self._scale.min, Why.MIN
        if self._scheduled is None or now >= self._scheduled.until:
            self._scheduled = schedule.floor(self._scale, now)
        self._due = min(self._due, self._scheduled.until.timestamp())
        return self._scheduled.instances, Why.SCHEDULE if self._scheduled.scheduled else Why.MIN
