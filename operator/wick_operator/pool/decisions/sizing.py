"""How many warm pods a pool keeps.

A pool has to last until a claimed pod is replaced. With starts arriving at rate *r* and a refill taking *t* seconds,
the starts within one refill are Poisson with mean *m = r t*, and *m + 2 sqrt(m)* pods are enough in 98 of 100 refills.
But starts come in bursts, so the pool is also never smaller than the largest number of starts seen within any one
refill time of the last `MEMORY` seconds::

    size = clamp(max(ceil(m + 2 sqrt(m)), largest burst), min, max)

Nothing seen for `MEMORY` seconds lets it fall back to `min`. For what a burst asks beyond the warm pods there are
dormant ones, whose number does not follow the starts, since they cost little and a pod made anew costs much::

    dormant = clamp(functions that may be at zero - min, 0, settings.dormant)
"""

import math
from collections import deque

from wick_operator.pool_settings import PoolSettings

MEMORY = 600.0
"""Seconds for which a burst is remembered."""
RATE_WINDOW = 60.0
"""Seconds over which the rate of starts is taken."""
FIRST_REFILL = 2.0
"""Seconds a refill is taken to last before one was seen."""
_WEIGHT = 0.2
_MOST = 4096  # starts remembered: beyond any pool's maximum


def size(settings: PoolSettings, rate: float, refill: float, burst: int) -> int:
    """Warm pods wanted: `rate` in starts a second, `refill` in seconds, `burst` the most starts within one refill."""
    if settings.max == 0:
        return 0
    mean = max(0.0, rate * refill)
    wanted = max(math.ceil(mean + 2 * math.sqrt(mean)), burst)
    return min(max(wanted, settings.min), settings.max)


def dormant(settings: PoolSettings, functions: int) -> int:
    """Dormant pods wanted where so many functions may be at zero: with the warm ones at most a pod for each."""
    return max(0, min(settings.dormant, functions - settings.min)) if settings.max else 0


def step(wanted: int, before: int | None, *, starting: bool) -> int:
    """The size to apply now: it shrinks by one pod a look, and does not grow while functions still start.

    A new warm pod would take the node's processors from the very starts that asked for it.
    """
    if before is None:
        return wanted
    return before if starting and wanted > before else max(wanted, before - 1)


class StartDemand:
    """The starts of one pool's functions and the time a refill takes; clock values come in."""

    def __init__(self) -> None:
        self._starts: deque[float] = deque(maxlen=_MOST)
        self.refill = FIRST_REFILL

    def started(self, now: float) -> None:
        """A function that could use the pool came up from zero, from the pool or not."""
        self._starts.append(now)

    def refilled(self, seconds: float) -> None:
        """A new warm pod became ready after so long; the mean moves a fifth of the way."""
        self.refill += _WEIGHT * (seconds - self.refill)

    def rate(self, now: float) -> float:
        """Starts a second over the last `RATE_WINDOW`."""
        return sum(1 for at in self._starts if at > now - RATE_WINDOW) / RATE_WINDOW

    def burst(self, now: float) -> int:
        """The most starts within one refill time, of the last `MEMORY` seconds."""
        while self._starts and self._starts[0] <= now - MEMORY:
            self._starts.popleft()
        most, first, starts = 0, 0, list(self._starts)
        for last, at in enumerate(starts):
            while starts[first] < at - self.refill:
                first += 1
            most = max(most, last - first + 1)
        return most
