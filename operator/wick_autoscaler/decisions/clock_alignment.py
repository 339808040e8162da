"""One router's counts on our time axis, given out up to a moment that all routers have in common.

A page tells what was counted until it was written, and comes when it comes: on a busy machine half a second later, and
not each time the same. What it counted belongs to the time until it was written, so a router tells its clock with each
page. And where one router's page is older than another's, the younger one's share after the older's moment is held back
until the next look:

    router a   ------|===============|         read until its own moment
    router b   --|===============|             the older: the common moment
                 previous        common -----> of a's increase, this much waits for the next look: |===|

Where a router does not answer, the moment waits for it a little (`AWAITED`), so that what it counted meanwhile does not
come in one lump, which a short window would take for a burst.

Sums are kept: what is held back is given out with the next look, and whatever is read counts once. In between, an
increase is taken to be even over the time it was counted in.
"""

import math

from wick_api.names import Key
from wick_autoscaler.decisions.demand import NOTHING, REQUESTS, SECONDS, Change

AWAITED = 1.5
"""Seconds since a router's first silence in which the common moment stands still: two looks."""
_DRIFT = 1e-3
"""By how much of the time that passes two clocks may drift apart; real ones stay far below."""
_NEARLY = 0.05
"""Not worth splitting: less than these seconds are held back of an increase. A share of it would be much after a long
silence, and missing from the short look that follows."""


class Axis:
    """Where one router's pages stand in time; all times are seconds, ours where it is not said."""

    __slots__ = ("_came", "_held", "_offset", "_written", "until")

    def __init__(self) -> None:
        self._offset = math.inf
        """Ours less the router's, as near as the quickest page told."""
        self._came = self._written = 0.0
        self.until: float | None = None
        """Up to when the last page counted."""
        self._held: dict[Key, Change] = {}

    def moment(self, came: float, written: float | None) -> float:
        """When a page was written that `came` just now; `written` by the router's own clock, None if it does not tell.

        No page is older than it seems by the quickest of them, so that one tells how the clocks differ. A clock that
        goes back is another one.
        """
        if written is None:
            return came
        drifted = self._offset + _DRIFT * (came - self._came) if written >= self._written else math.inf
        self._offset = min(drifted, came - written)
        self._came, self._written = came, written
        return written + self._offset

    def take(self, changes: dict[Key, Change], moment: float, common: float) -> dict[Key, Change]:
        """What is to be counted by the `common` moment: what was held back, and of `changes` the share until then.

        `changes` were counted from the last page until `moment`, and become what is returned.
        """
        share, waits = self._share(moment, common), self.until is not None and common < self.until
        self.until = moment
        if waits:
            self._hold(changes, 1.0)
            return changes
        held, self._held = self._held, {}
        if share < 1:
            self._hold(changes, 1 - share)
        return _added(changes, held)

    def left(self, changes: dict[Key, Change]) -> dict[Key, Change]:
        """`changes` with all that is held back: the router is gone."""
        held, self._held = self._held, {}
        return _added(changes, held)

    def _share(self, moment: float, common: float) -> float:
        if self.until is None or common >= moment:
            return 1.0
        if moment - common < _NEARLY or moment <= self.until:
            return 1.0
        return max(common - self.until, 0.0) / (moment - self.until)

    def _hold(self, changes: dict[Key, Change], share: float) -> None:
        for key, change in changes.items():
            seconds, requests = change[SECONDS] * share, change[REQUESTS] * share
            if seconds or requests:
                change[SECONDS] -= seconds
                change[REQUESTS] -= requests
                held = self._held.setdefault(key, NOTHING.copy())
                held[SECONDS] += seconds
                held[REQUESTS] += requests


def _added(changes: dict[Key, Change], held: dict[Key, Change]) -> dict[Key, Change]:
    for key, rest in held.items():
        change = changes.get(key)
        if change is None:
            change = changes[key] = NOTHING.copy()
        change[SECONDS] += rest[SECONDS]
        change[REQUESTS] += rest[REQUESTS]
    return changes
