"""Averages over sliding windows, taken from counters.

A counter of request-seconds, sampled now and then, holds the exact mean concurrency of every span between samples:
the difference over the time. So a window needs no buckets and does not care how evenly the samples came. Inside one
span the increase is taken to be even, which matters only at the window's far edge.

    total
      |                                 ______ now          mean = (total(now) - total(edge)) / (now - edge)
      |                    ____________/
      |        ___________/.
      |  _____/            .
      +--------------------.--------------------> time
                           edge = now - window

Two rules are Knative's (``pkg/autoscaler/aggregation/bucketing.go``): a function that comes back from nothing is
averaged over the time since then, not over an empty window; and results are rounded to six digits, so that sums of
floats cannot push ``ceil`` up by one.
"""

import math
from array import array
from bisect import bisect_right
from collections.abc import Sequence

DIGITS = 6
SHORTEST = 1.0
"""Seconds; the least time a mean is taken over, because a rate over milliseconds says nothing. Knative's bucket."""
_WORTH_TRIMMING = 32
_SMOOTHING_AT_LEAST = 0.2
_COVERED = 0.9999
_NEGLIGIBLE = 64  # (1 - 0.2) ** 64 is below 1e-6


class History:
    """Two counters of one function over time: request-seconds and requests. Times are the caller's monotonic seconds.

    Quiet spans take no room: a sample is stored only when something changed, with one more at the end of the silence.
    """

    __slots__ = ("_requests", "_seconds", "_times", "began")

    def __init__(self, began: float) -> None:
        self.began = began
        """From when the averages count."""
        self._times = array("d", (began,))
        self._seconds = array("d", (0.0,))
        self._requests = array("d", (0.0,))

    def add(self, since: float, now: float, seconds: float, requests: float) -> None:
        """Count what came in between two looks, at `since` and `now`."""
        last_seconds, last_requests = self._seconds[-1], self._requests[-1]
        if self._times[-1] < since:
            self._append(since, last_seconds, last_requests)
        self._append(max(now, self._times[-1]), last_seconds + seconds, last_requests + requests)

    def _append(self, when: float, seconds: float, requests: float) -> None:
        self._times.append(when)
        self._seconds.append(seconds)
        self._requests.append(requests)

    def restart(self, when: float) -> None:
        """Forget what was: averages count from `when`."""
        self.began = when
        for column, value in ((self._times, when), (self._seconds, 0.0), (self._requests, 0.0)):
            column[:] = array("d", (value,))

    def forget(self, before: float) -> None:
        """Drop samples no window that ends after `before` can reach."""
        times = self._times
        if len(times) > _WORTH_TRIMMING and times[_WORTH_TRIMMING] <= before:
            stale = bisect_right(times, before) - 1
            del self._times[:stale], self._seconds[:stale], self._requests[:stale]

    def concurrency(self, now: float, window: float) -> float:
        """Mean requests in flight or waiting over the last `window` seconds."""
        return self._mean(self._seconds, now, window)

    def rate(self, now: float, window: float) -> float:
        """Mean requests a second over the last `window` seconds."""
        return self._mean(self._requests, now, window)

    def weighted_concurrency(self, now: float, window: float) -> float:
        """As `concurrency`, the newest seconds weighing most."""
        return self._weighted(self._seconds, now, window)

    def weighted_rate(self, now: float, window: float) -> float:
        """As `rate`, the newest seconds weighing most."""
        return self._weighted(self._requests, now, window)

    def _mean(self, column: Sequence[float], now: float, window: float) -> float:
        edge = now - window
        if edge < self.began:
            edge, window = self.began, now - self.began
        return round((column[-1] - self._at(column, edge)) / max(window, SHORTEST), DIGITS)

    def _weighted(self, column: Sequence[float], now: float, window: float) -> float:
        """Sum of the seconds' means times s, s(1-s), s(1-s)^2 ..., newest first; Knative's weighted-exponential."""
        seconds = max(1, round(window))
        smoothing = smoothing_over(seconds)
        weight, total, newer = smoothing, 0.0, column[-1]
        for age in range(1, min(seconds, _NEGLIGIBLE) + 1):
            older = self._at(column, now - age)
            total += weight * (newer - older)
            weight *= 1 - smoothing
            newer = older
        return round(total, DIGITS)

    def _at(self, column: Sequence[float], when: float) -> float:
        """The counter at a moment, on the straight line between its neighbours."""
        times = self._times
        after = bisect_right(times, when)
        if after == len(times):
            return column[-1]
        if after == 0:
            return column[0]
        start, below = times[after - 1], column[after - 1]
        return below + (when - start) / (times[after] - start) * (column[after] - below)


def smoothing_over(seconds: int) -> float:
    """The coefficient that puts 99.99 % of the weight into so many seconds, at least 0.2."""
    return max(1.0 - math.pow(1.0 - _COVERED, 1.0 / seconds), _SMOOTHING_AT_LEAST)
