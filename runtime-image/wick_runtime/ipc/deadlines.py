"""One timer for the deadlines of all requests in flight.

Most requests end long before their time, so none gets a timer of its own: the one timer stands at the earliest
deadline known when it was set, and looks around when it fires.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Protocol

SLACK = 0.001  # s; the event loop's clock counts in milliseconds


class Timed(Protocol):
    """What can run out of time."""

    def expire(self) -> float | None:
        """Time is up. Monotonic seconds at which to ask again, or None to be forgotten."""


class Deadlines:
    """Calls `expire` on what is overdue."""

    def __init__(self, loop: asyncio.AbstractEventLoop, now: Callable[[], float]) -> None:
        self._loop = loop
        self._now = now
        self._timed: dict[Timed, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._at = math.inf
        """When the timer fires; infinity while there is none."""

    def add(self, item: Timed, due: float) -> None:
        """`due` is in monotonic seconds."""
        self._timed[item] = due
        if due < self._at:
            self._set(due)

    def discard(self, item: Timed) -> None:
        self._timed.pop(item, None)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def __len__(self) -> int:
        return len(self._timed)

    def items(self) -> list[Timed]:
        return list(self._timed)

    def _set(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._at = due
        self._timer = self._loop.call_later(max(due - self._now(), 0.0) + SLACK, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._at = math.inf
        now = self._now()
        for item, due in list(self._timed.items()):
            if due <= now:
                again = item.expire()
                if again is None:
                    self._timed.pop(item, None)
                elif item in self._timed:
                    self._timed[item] = again
        if self._timed:
            self._set(min(self._timed.values()))
