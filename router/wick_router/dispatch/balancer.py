"""Which instances have room, the least loaded first.

One ordered set for each level of load, 0 to capacity - 1; a slot is in the set of its load while it may be used:

    levels   0: a, d     least loaded: a, the first of the lowest level that is not empty
             1: c        among equals the one that rested longest, because each goes to the end of its level
             2: -        b is full or may not be used: in none

Everything takes constant time, but for the walk to the lowest level: at most `capacity` steps, after a run of `take`s.
"""

from wick_router.dispatch.action import EndpointState


class LeastLoaded:
    """See the module."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._levels: list[dict[EndpointState, None]] = [{} for _ in range(capacity)]
        self._lowest = capacity
        """No level below this one has a slot."""

    def least_loaded(self) -> EndpointState | None:
        """The slot the next request goes to; None when none has room."""
        level, levels = self._lowest, self._levels
        while level < self._capacity:
            if levels[level]:
                self._lowest = level
                return next(iter(levels[level]))
            level += 1
        self._lowest = level
        return None

    def take(self, slot: EndpointState) -> None:
        """One request more on a slot that has room."""
        load = slot.in_flight
        del self._levels[load][slot]
        load += 1
        slot.in_flight = load
        if load < self._capacity:
            self._levels[load][slot] = None

    def leave(self, slot: EndpointState) -> None:
        """One request less."""
        load = slot.in_flight
        if load < self._capacity:
            self._levels[load].pop(slot, None)
        slot.in_flight = load - 1
        self.offer(slot)

    def offer(self, slot: EndpointState) -> None:
        """Count the slot in, if it may be used and has room."""
        load = slot.in_flight
        usable = slot.ready and not slot.draining and slot.listed and not slot.held_until and not slot.failed_load
        if load < self._capacity and usable and not slot.superseded:
            self._levels[load][slot] = None
            if load < self._lowest:  # noqa: PLR1730 - min() costs a call on the warm path
                self._lowest = load

    def withdraw(self, slot: EndpointState) -> None:
        """No request more for this slot."""
        if slot.in_flight < self._capacity:
            self._levels[slot.in_flight].pop(slot, None)
