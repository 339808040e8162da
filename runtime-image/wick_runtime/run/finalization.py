"""The end of a process that ran the function's code, in the order that Python promises at the end of its main thread.

::

    shutdown()  ->  threads that are not daemons are joined  ->  atexit, last registered first  ->  flush  ->  _exit

A process forked by `Forker` ends by ``os._exit``, which skips all of it: what OpenTelemetry, Sentry or a file still
hold would be lost. Whoever had the process forked bounds the time this may take: `FINALIZATION` while the instance goes
on, and what is left of the grace period at its end.
"""

import atexit
import contextlib
import io
import sys
import threading
from typing import Final

from wick_runtime.run.heap import tracked

FINALIZATION: Final = 2.0
"""Seconds a process has for it in an instance that goes on, and after the grace period; then it is killed."""


def finalize(frozen: int) -> None:
    """All but `shutdown`. A step that fails is shown, and hinders none after it. `frozen` as in `heap.tracked`."""
    join = threading._shutdown  # type: ignore[attr-defined]  # noqa: SLF001 - what Python calls there
    for step in (join, atexit._run_exitfuncs, lambda: flush(frozen)):  # noqa: SLF001 - as above
        try:
            step()
        except BaseException:  # noqa: BLE001 - whatever the function's code raises at its end
            sys.excepthook(*sys.exc_info())


def flush(frozen: int) -> None:
    """Write what the standard streams and all open files hold: Python does so when it takes its modules apart."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not getattr(stream, "closed", False):
            finish = getattr(stream, "finish", stream.flush)  # our own streams hold unfinished lines alone
            finish()
    objects = tracked(frozen)
    for kind in (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom):  # the outer first: it writes to the inner
        for file in [each for each in objects if type(each) is kind]:
            with contextlib.suppress(OSError, ValueError):  # closed, or there is no room
                file.flush()
