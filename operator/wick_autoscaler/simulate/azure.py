"""Public invocation traces of Azure Functions, read as they are.

* 2019 (Shahrad et al., USENIX ATC 2020), ``invocations_per_function_md.anon.d01.csv``: one row a function and day,
  ``HashOwner,HashApp,HashFunction,Trigger,1,2,...,1440``, counts a minute. Requests are spread evenly over their
  minute, because that is all the file tells; durations are in another file, so the service time is an argument.
* 2021 (Zhang et al., SOSP 2021), ``AzureFunctionsInvocationTraceForTwoWeeksJan2021.txt``: one row a call,
  ``app,func,end_timestamp,duration``, in seconds.
"""

import csv
from collections.abc import Iterable, Iterator
from itertools import chain

from msgspec import Struct

from wick_autoscaler.simulate.trace import Trace, TracedRequest, trace

_HEAD_2019 = ["HashOwner", "HashApp", "HashFunction", "Trigger"]
_HEAD_2021 = ["app", "func", "end_timestamp", "duration"]
MINUTE = 60.0


class Unreadable(ValueError):
    """Not such a trace; the message names the line."""


class TracePart(Struct, frozen=True):
    """What of a trace to take."""

    function: str = ""
    """Beginning of the function's hash; empty: all functions of the file together."""
    service: float = 0.5
    """Mean seconds of a request, for traces that do not tell."""
    start: float = 0.0
    """Seconds into the trace."""
    length: float = 3600.0
    """Seconds to replay."""


def read(name: str, lines: Iterable[str], part: TracePart) -> Trace:
    """A trace of either year, told apart by its first line."""
    rows = iter(csv.reader(lines))
    head = next(rows, [])
    if head[:4] == _HEAD_2019:
        found = _minutes(rows, part)
    elif head[:4] == _HEAD_2021:
        found = _calls(rows, part)
    else:
        raise Unreadable(f"{name}:1: neither of Azure's trace formats begins with {','.join(head)[:60]!r}")
    requests = (
        TracedRequest(request.at - part.start, request.service)
        for request in found
        if part.start <= request.at < part.start + part.length
    )
    return trace(name, requests, part.length)


def _minutes(rows: Iterable[list[str]], part: TracePart) -> Iterator[TracedRequest]:
    first, last = int(part.start // MINUTE), int((part.start + part.length) // MINUTE) + 1
    for line, row in enumerate(rows, start=2):
        if len(row) < 5 or not row[2].startswith(part.function):  # noqa: PLR2004 - four names and a minute at least
            continue
        try:
            counts = [int(count or 0) for count in row[4:][first:last]]
        except ValueError as error:
            raise Unreadable(f"line {line}: {error}") from error
        yield from chain.from_iterable(
            (TracedRequest((minute + (number + 0.5) / count) * MINUTE, part.service) for number in range(count))
            for minute, count in enumerate(counts, start=first)
        )


def _calls(rows: Iterable[list[str]], part: TracePart) -> Iterator[TracedRequest]:
    for line, row in enumerate(rows, start=2):
        try:
            _, function, end, duration = row
            ended, took = float(end), float(duration)
        except ValueError as error:
            raise Unreadable(f"line {line}: {error}") from error
        if function.startswith(part.function) and took >= 0:
            yield TracedRequest(max(0.0, ended - took), took)
