"""Whether the function's code has made its own process unfit for more requests, and the end of such a process.

Asked only after something has failed. It needs as little as possible of what that code may have replaced.
"""

import builtins
import errno
import os
from typing import Any, NoReturn

_ORIGINAL = dict(vars(builtins))
_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE))
_exit, _write, _dup, _close = os._exit, os.write, os.dup, os.close
_SOFTWARE = os.EX_SOFTWARE


def replaced() -> list[str]:
    """Names in `builtins` that mean something else than when the runtime was loaded, or nothing."""
    now = vars(builtins)
    return [name for name, value in _ORIGINAL.items() if name != "_" and now.get(name) is not value]


def exhausted() -> bool:
    """Whether this process can open no descriptor."""
    try:
        _close(_dup(2))
    except OSError as error:
        return error.errno in _EXHAUSTED
    return False


def noticed(loop: Any, context: Any) -> None:
    """An event loop's exception handler: a callback of the runtime that fails in a process that is unfit ends it."""
    error = context.get("exception")
    if error is not None and _ours(error) and replaced():
        broken(error)
    if exhausted():
        end_process("it has no descriptor left")
    loop.default_exception_handler(context)


def _ours(error: BaseException) -> bool:
    """Whether it came out of a callback or a task of the runtime, not out of one of the function's."""
    tb = error.__traceback__
    while tb is not None:
        name = tb.tb_frame.f_globals.get("__name__") or ""
        if name[:7] != "asyncio" and name[:6] != "uvloop":
            return bool(name[:12] == "wick_runtime")
        tb = tb.tb_next
    return True


def tell(what: str) -> None:
    """A line in the log, without a descriptor and without `logging`."""
    _write(2, f"wick_runtime: {what}\n".encode("utf-8", "backslashreplace"))


def end_process(why: str) -> NoReturn:
    """End this process at once; whoever watches it answers what it held, and replaces it."""
    try:
        vars(builtins).update(_ORIGINAL)
        tell(f"this process ends: {why}")
    finally:
        _exit(_SOFTWARE)


def broken(error: BaseException) -> NoReturn:
    """The runtime's own code failed, which answers requests."""
    names = replaced()
    vars(builtins).update(_ORIGINAL)
    said = f"; the function's code has replaced {', '.join(f'builtins.{name}' for name in names)}" if names else ""
    end_process(f"the runtime in it failed with {type(error).__name__}{said}")
