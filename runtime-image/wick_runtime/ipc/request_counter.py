"""Counts of finished requests on their way to the shared table.

Adding to a word of shared memory costs four times what adding to a Python list does, and every request adds to three.
So they are gathered here and written through `FLUSH` seconds after the first; a worker that dies takes at most that
much of its counts along.
"""

import asyncio
from bisect import bisect_left
from typing import Final

from wick_runtime.ipc.shared_table import BUCKET, BUCKETS, OUTCOME, SUM, WORDS, SharedTable

FLUSH: Final = 0.05


class Tally:
    """See the module."""

    def __init__(self, table: SharedTable) -> None:
        self._table = table
        self._loop = asyncio.get_running_loop()
        self._counts = [0] * WORDS
        self._seconds = 0.0
        self._pending = False

    def count(self, outcome: int, seconds: float) -> None:
        """One request ended with `OUTCOMES[outcome]` after `seconds`."""
        counts = self._counts
        counts[OUTCOME + outcome] += 1
        counts[BUCKET if seconds <= BUCKETS[0] else BUCKET + bisect_left(BUCKETS, seconds)] += 1
        self._seconds += seconds
        if not self._pending:
            self._pending = True
            self._loop.call_later(FLUSH, self.flush)

    def flush(self) -> None:
        """Write what was gathered."""
        self._pending = False
        counters = self._table.counters
        for word, count in enumerate(self._counts):
            if count:
                counters[word] += count
                self._counts[word] = 0
        counters[SUM] += self._seconds
        self._seconds = 0.0
