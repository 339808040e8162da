"""When which key is due: the pure heart of the work queue. No clock: `now` comes in, in seconds, never going back.

Per key, whatever happens and however often:

               enqueue(at)                 take(now) at its time              finish(ok)
    (unknown) ---------> waiting ---------------------------> taken ------------------> (unknown)
                         ^  earlier wishes win                 |  wishes meanwhile are      |
                         |                                     |  kept and win afterwards   | failed:
                         +-------------------------------------+----------------------------+ after a back-off

So a key is never worked on twice at once, no enqueue is lost, and any number of them cost one piece of work. Failures
back off per key: `first` seconds, doubled each time up to `longest`, forgotten at the first success; and all work
together keeps to `rate` a second in bursts of `burst`.
"""

import heapq
from typing import Generic, TypeVar

from msgspec import Struct

K = TypeVar("K")


class BackoffLimits(Struct, frozen=True):
    """See the module; times in seconds."""

    first: float = 0.1
    longest: float = 60.0
    rate: float = 50.0
    burst: float = 100.0


class WorkSchedule(Generic[K]):
    """Keys that wait for their time, and those that are being worked on."""

    def __init__(self, limits: BackoffLimits, now: float) -> None:
        self._limits = limits
        self._heap: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}
        self._again: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._taken: set[K] = set()
        self._order = 0
        self._tokens, self._filled = limits.burst, now

    def __len__(self) -> int:
        """Keys that wait, whether due or not."""
        return len(self._due) + len(self._again)

    @property
    def taken(self) -> frozenset[K]:
        """Keys that are being worked on."""
        return frozenset(self._taken)

    def waiting_since(self, now: float) -> float:
        """For how long the longest waiting key has been due; 0 when none is."""
        return max(0.0, now - min(self._due.values(), default=now))

    def enqueue(self, key: K, at: float) -> None:
        """The key wants work, no sooner than `at`."""
        waiting = self._again if key in self._taken else self._due
        if waiting.get(key, at) < at:
            return
        if key not in self._taken and self._due.get(key) != at:
            self._push(key, at)
        waiting[key] = at

    def take(self, now: float) -> K | None:
        """The key due longest, if one is and the rate allows; it stays taken until `finish`."""
        self._fill(now)
        self._forget_superseded()
        if not self._heap or self._heap[0][0] > now or self._tokens < 1:
            return None
        key = heapq.heappop(self._heap)[2]
        del self._due[key]
        self._taken.add(key)
        self._tokens -= 1
        return key

    def next(self, now: float) -> float | None:
        """When `take` may next have something; None without keys."""
        self._fill(now)
        self._forget_superseded()
        if not self._heap:
            return None
        missing = max(0.0, 1 - self._tokens)
        return max(self._heap[0][0], now + missing / self._limits.rate)

    def finish(self, key: K, now: float, *, failed: bool) -> None:
        """The work on a taken key ended."""
        self._taken.remove(key)
        again = self._again.pop(key, None)
        if again is not None:
            self.enqueue(key, again)
        if failed:
            count = self._failures[key] = self._failures.get(key, 0) + 1
            self.enqueue(key, now + min(self._limits.longest, self._limits.first * 2.0 ** min(count - 1, 60)))
        else:
            self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        """How often in a row work on the key has failed."""
        return self._failures.get(key, 0)

    def _push(self, key: K, at: float) -> None:
        self._order += 1
        heapq.heappush(self._heap, (at, self._order, key))

    def _forget_superseded(self) -> None:
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)

    def _fill(self, now: float) -> None:
        gained = (now - self._filled) * self._limits.rate
        self._tokens = min(self._limits.burst, self._tokens + gained)
        self._filled = now
