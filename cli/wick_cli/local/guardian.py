"""A process that outlives a crashed ``wick up`` just long enough to end the instances it left behind.

``wick up`` writes ``+pid`` for each instance it starts and ``-pid`` for each that ended. When the pipe closes, however
``wick up`` died, whatever is still listed is told to stop, killed after `PATIENCE` seconds, and the folder removed.
Works the same on Linux and macOS, which has no parent-death signal. Run as a file with ``python -I -S``, so it imports
nothing of Kubewick.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable

PATIENCE = 2.0  # s


def left_behind(lines: Iterable[str]) -> set[int]:
    """Process groups that were started and not reported as ended."""
    alive: set[int] = set()
    for line in lines:
        sign, pid = line[:1], line[1:].strip()
        if sign == "+":
            alive.add(int(pid))
        elif sign == "-":
            alive.discard(int(pid))
    return alive


def _signal(groups: Iterable[int], number: int) -> set[int]:
    """Signal each group; those that existed."""
    found = set()
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)
            found.add(group)
    return found


def _main(folder: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups = _signal(left_behind(sys.stdin), signal.SIGTERM)
    until = time.monotonic() + PATIENCE
    while groups and time.monotonic() < until:
        time.sleep(0.05)
        groups = _signal(groups, 0)
    _signal(groups, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _main(sys.argv[1])
