"""What one router's ``/metrics`` says about demand, as differences between two readings.

A router that knows 5,000 functions writes 20,000 lines for us, most of them the same as a second ago. So a page like
the last one is not read at all; else lines are compared as bytes with those that stood in their place, and only those
that changed are looked at; of these, all but the first of a series are recognised by the bytes before the value. Where
lines came, went or moved, all of them are compared as sets.

Counters: a smaller value than before means the router started anew, so all of it is new. A series not seen before
is new too, except in the first reading of a router: that tells what happened in the past, when nobody knows. Gauges:
the difference to the last reading, so a sum over routers stays right when one of them goes.
"""

import operator
from collections.abc import Iterable
from itertools import compress
from typing import Final

from wick_api import metric
from wick_api.names import Key
from wick_autoscaler.decisions import exposition

SECONDS, REQUESTS, IN_FLIGHT, WAITING = range(4)
"""Columns of a change: request-seconds and requests (counters), in flight and waiting (gauges)."""
SERIES: Final = {
    metric.INFLIGHT_SECONDS: SECONDS,
    metric.REQUESTS: REQUESTS,
    metric.IN_FLIGHT: IN_FLIGHT,
    metric.QUEUE_DEPTH: WAITING,
}
_OURS = tuple(f"{name}{{".encode() for name in SERIES)

Change = list[float]
"""One function's four columns."""
NOTHING: Final[Change] = [0.0, 0.0, 0.0, 0.0]


class _Series:
    """One line of the router's text: whose it is, which column, and the last value."""

    __slots__ = ("column", "key", "value")

    def __init__(self, key: Key, column: int) -> None:
        self.key, self.column, self.value = key, column, 0.0


class Reading:
    """One router, reading after reading."""

    def __init__(self) -> None:
        self._series: dict[bytes, _Series] = {}
        self._text: bytes | None = None
        self._lines: list[bytes] = []
        self._first = True
        self.broken = 0
        """Lines of ours that could not be read, so far."""

    def feed(self, text: bytes) -> dict[Key, Change]:
        """What changed since the last reading, by function.

        On a router's first reading a function that ever had a request appears too, with zeros for its counters.
        """
        changes: dict[Key, Change] = {}
        if text == self._text:
            return changes
        lines = text.split(b"\n")
        if len(lines) != len(self._lines) or not self._in_place(lines, changes):
            self._anywhere(lines, changes)
        self._text, self._lines, self._first = text, lines, False
        return changes

    def _in_place(self, lines: list[bytes], changes: dict[Key, Change]) -> bool:
        """Read the lines that differ from their predecessors; whether each still belongs to the same series."""
        for place in compress(range(len(lines)), map(operator.ne, lines, self._lines)):
            line = lines[place]
            prefix, _, text = line.rpartition(b" ")
            if not (prefix.endswith(b"}") and self._lines[place].startswith(prefix)):
                return False
            series = self._series.get(prefix)
            if series is not None:
                self._count(series, exposition.value(text), changes)
            elif line.startswith(_OURS):
                self._changed(line, changes)
        return True

    def _anywhere(self, lines: Iterable[bytes], changes: dict[Key, Change]) -> None:
        """Read all lines that were not there before, and drop the series that are not there any more."""
        new, old = ({line for line in page if line.startswith(_OURS)} for page in (lines, self._lines))
        for line in new - old:
            self._changed(line, changes)
        if len(new) < len(self._series):
            self._forget(old - new, new, changes)

    def gone(self) -> dict[Key, Change]:
        """Take back what this router said is in flight or waiting: it is not there any more."""
        return self._withdraw(list(self._series))

    def _changed(self, line: bytes, changes: dict[Key, Change]) -> None:
        prefix, _, text = line.rpartition(b" ")
        series = self._series.get(prefix)
        if series is None:
            self._count(*self._met(line), changes)
        else:
            self._count(series, exposition.value(text), changes)

    def _count(self, series: _Series | None, number: float | None, changes: dict[Key, Change]) -> None:
        """One new value; None for what could not be read."""
        if series is None or number is None:
            self.broken += 1
            return
        difference = number - series.value
        if series.column <= REQUESTS and difference < 0:
            difference = number
        series.value = number
        if not difference:
            return
        change = changes.get(series.key)
        if change is None:
            change = changes[series.key] = NOTHING.copy()
        if not self._first or series.column > REQUESTS:
            change[series.column] += difference

    def _met(self, line: bytes) -> tuple[_Series | None, float | None]:
        """A line whose prefix is not known: a new series, or one written with a timestamp or an exemplar."""
        sample = exposition.read(line)
        if sample is None or not {"namespace", "function"} <= sample.labels.keys():
            return None, None
        prefix = _prefix(line)
        series = self._series.get(prefix)
        if series is None:
            key = Key(sample.labels["namespace"], sample.labels["function"])
            series = self._series[prefix] = _Series(key, SERIES[sample.name])
        return series, sample.value

    def _forget(self, removed: Iterable[bytes], lines: set[bytes], changes: dict[Key, Change]) -> None:
        """Drop the series that the router no longer writes."""
        missing = {_prefix(line) for line in removed} - {_prefix(line) for line in lines}
        for key, change in self._withdraw(missing).items():
            known = changes.setdefault(key, NOTHING.copy())
            for column in (IN_FLIGHT, WAITING):
                known[column] += change[column]

    def _withdraw(self, prefixes: Iterable[bytes]) -> dict[Key, Change]:
        changes: dict[Key, Change] = {}
        for prefix in prefixes:
            series = self._series.pop(prefix, None)
            if series is not None and series.column > REQUESTS and series.value:
                changes.setdefault(series.key, NOTHING.copy())[series.column] -= series.value
        return changes


def _prefix(line: bytes) -> bytes:
    """Name and labels: all before the value, the timestamp and the exemplar."""
    return line[: line.partition(b" # ")[0].rfind(b"}") + 1]
