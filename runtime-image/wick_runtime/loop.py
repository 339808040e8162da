"""The event loop: uvloop where it is installed, asyncio's own otherwise."""

import asyncio
from collections.abc import Coroutine
from typing import Any


def run(main: Coroutine[Any, Any, int], wanted: str) -> int:
    """Run `main` in a new loop, to its end; `wanted` names ``uvloop`` or ``asyncio`` to insist."""
    loop = _new(wanted)
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()


def _new(wanted: str) -> asyncio.AbstractEventLoop:
    if wanted != "asyncio":
        try:
            import uvloop  # noqa: PLC0415 - optional
        except ImportError:
            if wanted:
                raise
        else:
            return uvloop.new_event_loop()
    return asyncio.new_event_loop()
