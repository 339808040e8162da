"""A load to be replayed: when each request comes and how long serving it takes."""

from collections.abc import Iterable
from typing import NamedTuple


class TracedRequest(NamedTuple):
    """One request; both in seconds, `at` from the start of the trace."""

    at: float
    service: float


class Trace(NamedTuple):
    name: str
    requests: list[TracedRequest]
    """In order of time."""
    length: float
    """Seconds, the quiet at the end included."""


def trace(name: str, requests: Iterable[TracedRequest], length: float) -> Trace:
    """A trace of requests in any order."""
    return Trace(name, sorted(requests), length)
