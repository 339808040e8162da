"""Waiting for a condition instead of sleeping."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Seen = TypeVar("Seen")

PATIENCE = 120.0
"""Seconds after which what is waited for has failed. It ends a test that hangs and judges no speed: a machine may be
ten times slower than another, and may stall."""


class TookTooLong(AssertionError):
    """The condition did not come true in time; the message shows what was seen last."""


def eventually(look: Callable[[], Seen], *, within: float = PATIENCE, every: float = 0.05) -> Seen:
    """Call `look` until it returns something true, and return that; `within` and `every` are seconds.

    An `AssertionError` or `LookupError` from `look` counts as "not yet" (so a `look` may assert); any other error is
    raised at once.
    """
    deadline = time.monotonic() + within
    while True:
        seen = _glance(look)
        if seen and not isinstance(seen, _NotYet):
            return seen
        if time.monotonic() >= deadline:
            raise TookTooLong(f"not within {within:g} s; last seen: {seen!r}")
        time.sleep(every)


async def eventually_async(
    look: Callable[[], Awaitable[Seen]], *, within: float = PATIENCE, every: float = 0.05
) -> Seen:
    """`eventually` for a coroutine function."""
    deadline = time.monotonic() + within
    while True:
        seen: Seen | _NotYet
        try:
            seen = await look()
        except (AssertionError, LookupError) as error:
            seen = _NotYet(error)
        if seen and not isinstance(seen, _NotYet):
            return seen
        if time.monotonic() >= deadline:
            raise TookTooLong(f"not within {within:g} s; last seen: {seen!r}")
        await asyncio.sleep(every)


class _NotYet:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def __repr__(self) -> str:
        return repr(self.error)


def _glance(look: Callable[[], Seen]) -> Seen | _NotYet:
    try:
        return look()
    except (AssertionError, LookupError) as error:
        return _NotYet(error)
