"""Where the function's code stands: what the process that runs it tells when it does not get on.

Asked when the start deadline has passed, and later when the event loop has not turned for a second.

The control process sends SIGUSR2 and waits `PATIENCE` for the answer. A signal handler of Python runs between two
bytecodes, so a call into native code that does not return gives none.
"""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from wick_runtime.ipc.channel import Channel
from wick_runtime.run.load import short

PATIENCE: Final = 0.5
"""Seconds to wait for the answer."""


def watch(channel: Channel, code: str) -> None:
    """Answer SIGUSR2 on `channel` from now on with ``stands``; `code` is the function's directory."""
    signal.signal(signal.SIGUSR2, _teller(channel, code, "stands"))


def over(channel: Channel | None = None, code: str = "") -> bool:
    """Loading is done: an order that crossed it is ignored, or answered on `channel` with ``blocked``.

    Not SIG_IGN, which programs the function starts keep. False where the function's code has taken the signal for
    itself: it keeps it.
    """
    if getattr(signal.getsignal(signal.SIGUSR2), "__module__", "") != __name__:
        return False
    signal.signal(signal.SIGUSR2, _late if channel is None else _teller(channel, code, "blocked"))
    return True


def _teller(channel: Channel, code: str, word: str) -> Callable[[int, FrameType | None], None]:
    def tell(_signal: int, frame: FrameType | None) -> None:
        channel.send({"op": word, **place(frame, code)})

    return tell


def _late(_signal: int, _frame: FrameType | None) -> None:
    """See `over`."""


def place(frame: FrameType | None, code: str) -> dict[str, Any]:
    """The innermost line of the function's own files on the stack, or that of a task which waits."""
    stack = _stack(frame)
    own = next((each for each in stack if _inside(each, code)), None)
    if own is None:
        stack = [each for waiting in _waiting() for each in waiting]
        own = next((each for each in stack if _inside(each, code)), None)
    if own is None:
        return {"file": "", "line": 0, "where": ""}
    file, line = short(own.f_code.co_filename, code), own.f_lineno
    module = next((each.f_globals.get("__name__") for each in stack if each.f_code.co_name == "<module>"), "__main__")
    imported = module != "__main__"  # that one is the runtime's own
    where = f"{file}:{line}" + (f", while {module!r} is imported" if imported else f", in {own.f_code.co_name}()")
    return {"file": file, "line": line, "where": where}


def _stack(frame: FrameType | None) -> list[FrameType]:
    found = []
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return found


def _waiting() -> list[list[FrameType]]:
    """The frames of each task of the running loop, innermost first."""
    asyncio = sys.modules.get("asyncio")
    try:
        tasks = asyncio.all_tasks() if asyncio is not None else ()
    except RuntimeError:  # no loop runs
        return []
    return [_awaited(task.get_coro()) for task in tasks]


def _awaited(coroutine: Any) -> list[FrameType]:
    found: list[FrameType] = []
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        found.insert(0, frame)
        coroutine = coroutine.cr_await
    return found


def _inside(frame: FrameType, code: str) -> bool:
    root = os.path.join(os.path.realpath(code), "")  # noqa: PTH118 - pathlib costs 5 ms to import
    return os.path.realpath(frame.f_code.co_filename).startswith(root)
