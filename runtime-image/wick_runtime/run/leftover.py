"""Work that goes on after its answer, and how it ends: what the log says of it, and its last moments."""

import asyncio
import sys
from typing import Final

from wick_runtime.run.context import Context, current

LAST_MOMENTS: Final = 1.0
"""Seconds that tasks have for their ``finally`` blocks, once cancelled at the instance's end."""


def stopped(context: Context) -> None:
    """The timeout has stopped what a handler did after its answer, such as Starlette's background tasks."""
    import logging  # noqa: PLC0415 - a function without such work does not pay for it

    token = current.set(context)
    try:
        logging.getLogger("wick_runtime").warning(
            "the handler still ran after its answer when its time (spec.timeout) was up: what it did was cancelled",
            extra={"request_id": context.request_id, **context.identity._asdict()},
        )
    finally:
        current.reset(token)


def swallowed(context: Context, times: int) -> None:
    """A handler goes on though it was cancelled: its process takes no more requests."""
    import logging  # noqa: PLC0415 - as above

    token = current.set(context)
    try:
        logging.getLogger("wick_runtime").error(
            "the handler has swallowed %d cancellations since its time (spec.timeout) was up: its process takes no more"
            " requests and is replaced when the others in it have ended",
            times,
            extra={"request_id": context.request_id, **context.identity._asdict()},
        )
    finally:
        current.reset(token)


async def end() -> None:
    """Cancel every other task of this loop, as `asyncio.run` does, and wait a moment for them."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    if not tasks:
        return
    for task in tasks:
        task.cancel("the instance ends")
    _, stubborn = await asyncio.wait(tasks, timeout=LAST_MOMENTS)
    if stubborn:
        names = ", ".join(sorted(task.get_name() for task in stubborn))
        sys.stderr.write(f"tasks that did not end when they were cancelled at the instance's end: {names}\n")
