"""Shared memory of an instance's processes: what each connection holds, and what was counted.

The worker writes, the control process reads. So after the worker died, the control process still knows which
requests it held, and `/metrics` never has to ask a process that runs user code. One writer at a time; a store is a
single byte or an aligned eight-byte word.

A connection's slot::

    QUIET --first byte of a request--> HELD --first byte of its response--> STARTED
      ^                                                                        |
      +-------------- response wholly with the kernel, nothing read since -----+

A QUIET connection can be handed to another worker as it is; a HELD one can be answered 502 from outside; a STARTED
one can only be broken off.
"""

import mmap
from typing import Final

SLOTS: Final = 4096
"""Most client connections at once."""
QUIET: Final = 0
HELD: Final = 1
STARTED: Final = 2

ID_BYTES: Final = 128
"""Longest request id that is kept, the limit `x-request-id` has."""

OUTCOMES: Final = ("ok", "error", "timeout", "crash", "refused", "disconnect")
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the duration histogram, seconds."""

# Words of the counter area
OUTCOME: Final = 0
BUCKET: Final = OUTCOME + len(OUTCOMES)
SUM: Final = BUCKET + len(BUCKETS) + 1
WORDS: Final = SUM + 1


class SharedTable:
    """Anonymous shared memory, made before the first fork."""

    def __init__(self) -> None:
        words = WORDS * 8
        ids = words + SLOTS * 8
        states = ids + SLOTS * ID_BYTES
        sizes = states + SLOTS
        self._memory = mmap.mmap(-1, sizes + SLOTS)
        view = memoryview(self._memory)
        self.counters = view[:words].cast("d")
        self.deadlines = view[words:ids].cast("d")
        """By slot: monotonic seconds at which the request's time is up, infinity for a WebSocket; 0 while none runs."""
        self.ids = view[ids:states]
        self.states = view[states:sizes]
        self._sizes = view[sizes:]

    def remember(self, slot: int, request_id: bytes) -> None:
        """Keep the id of the request that `slot` holds, at most `ID_BYTES` long."""
        start = slot * ID_BYTES
        size = self._sizes[slot] = len(request_id)
        self.ids[start : start + size] = request_id

    def request_id(self, slot: int) -> str:
        """The id of the request that `slot` holds, or an empty string."""
        start = slot * ID_BYTES
        return bytes(self.ids[start : start + self._sizes[slot]]).decode("latin-1")

    def in_flight(self) -> int:
        """Requests that run."""
        return sum(1 for deadline in self.deadlines if deadline)

    def clear(self, slot: int) -> None:
        self.states[slot] = QUIET
        self.deadlines[slot] = 0.0
        self._sizes[slot] = 0

    def count(self, outcome: int) -> None:
        """One request ended with `OUTCOMES[outcome]` without a handler's time to speak of."""
        self.counters[OUTCOME + outcome] += 1
