"""`scale.prediction`: what was wanted at this time of the last two seasons, a little ahead of it.

A season (hour, day or week, in UTC) is cut into slots. Each slot keeps the most instances that were wanted in it, for
the last two whole seasons and for the one that runs. The forecast for a moment is

    max over the slots from now to now + ahead of min(last season, the season before)

so a peak counts once it came twice, a single burst never, and one that stopped coming is forgotten after a season.
There is nothing to tune and the answer can be checked by hand. It knows no daylight saving: twice a year a daily peak
is expected an hour off, for two days.
"""

from array import array
from typing import Final

from wick_api.scale import Prediction

SLOTS: Final = {"hour": (3600, 60), "day": (86_400, 300), "week": (604_800, 1800)}
"""Season to its length and its slots' length, in seconds."""
_MOST: Final = 65_535


class Seasons:
    """One function's wants by slot. Times are seconds since 1970. About 1.4 kB for a day or a week."""

    __slots__ = ("_ahead", "_before", "_expected", "_last", "_newest", "_slot", "kind")

    def __init__(self, prediction: Prediction) -> None:
        self.kind = prediction.season
        self._ahead = float(prediction.ahead)
        season, self._slot = SLOTS[prediction.season]
        self._newest: int | None = None
        """Number of the slot being filled, counted from 1970."""
        self._expected = 0
        """What was expected of that slot."""
        self._last = array("H", bytes(2 * (season // self._slot)))
        """Wants of every slot's newest season: this one up to `_newest`, the last one behind it."""
        self._before = array("H", self._last)
        """One season earlier."""

    def adjust(self, prediction: Prediction) -> "Seasons":
        """These seasons under other settings; what was learned is kept where the season is the same."""
        if prediction.season != self.kind:
            return Seasons(prediction)
        self._ahead = float(prediction.ahead)
        return self

    def record(self, now: float, wanted: int) -> None:
        """Note what is wanted at `now`; a slot without a word wanted nothing."""
        position = self._advance(now) % len(self._last)
        self._last[position] = max(self._last[position], min(wanted, _MOST))

    def forecast(self, now: float) -> int:
        """The instances to have at `now`, from earlier seasons alone."""
        newest, last = self._advance(now), int((now + self._ahead) // self._slot)
        return max(self._expected, *(self._twice(number) for number in range(newest + 1, last + 1)), 0)

    def _twice(self, number: int) -> int:
        """What the last two whole seasons both wanted in a slot to come."""
        position = number % len(self._last)
        return min(self._last[position], self._before[position])

    def _advance(self, now: float) -> int:
        """Open the slot of `now`, and those nobody spoke of before it; the clock may stand still but not go back."""
        number, slots = int(now // self._slot), len(self._last)
        newest = number if self._newest is None else self._newest
        for passed in range(max(newest + 1, number - 2 * slots), number + 1):
            position = passed % slots
            self._expected = self._twice(passed)
            self._before[position], self._last[position] = self._last[position], 0
        self._newest = max(newest, number)
        return self._newest
