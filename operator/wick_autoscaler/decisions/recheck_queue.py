"""Which function to look at when. A tick takes out those whose time has come and touches no other.

    put(key, when) --> slot floor(when / SLOT) --> take(now): every slot up to now's

Each key has one time, the earliest it was put at; a later one is ignored, because who is looked at says anew when the
next look is due. So a key lies in one living slot, and what a slot still holds of keys that were moved is skipped.
"""

import math
from collections.abc import Iterable
from heapq import heappop, heappush

from wick_api.names import Key

SLOT = 0.1
"""Seconds of a slot: a key may come out that much too early, never later than the first look after its time."""


class Agenda:
    """Keys by time; times are the loop's monotonic seconds, infinity for never."""

    __slots__ = ("_order", "_slots", "_times")

    def __init__(self) -> None:
        self._times: dict[Key, int] = {}
        self._slots: dict[int, list[Key]] = {}
        self._order: list[int] = []
        """Numbers of the slots, as a heap."""

    def put(self, key: Key, when: float) -> None:
        """Look at `key` at `when` or before."""
        if when == math.inf:
            return
        number = int(when // SLOT)
        if number >= self._times.get(key, number + 1):
            return
        self._times[key] = number
        slot = self._slots.get(number)
        if slot is None:
            slot = self._slots[number] = []
            heappush(self._order, number)
        slot.append(key)

    def take(self, now: float) -> Iterable[Key]:
        """Those whose time has come; they have none any more."""
        due: list[Key] = []
        last = int(now // SLOT)
        while self._order and self._order[0] <= last:
            number = heappop(self._order)
            for key in self._slots.pop(number):
                if self._times.get(key) == number:
                    del self._times[key]
                    due.append(key)
        return due
