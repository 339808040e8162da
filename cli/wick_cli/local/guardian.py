"""A process that outlives a crashed ``wick up`` just long enough to end the instances it left behind.

``wick up`` writes ``+pid`` for each instance it starts and ``-pid`` for each that ended. When the pipe closes, however
``wick up`` died, whatever is still listed is told to stop, killed after `PATIENCE` seconds with its whole session, and
the folder removed. Works the same on Linux and macOS, which has no parent-death signal. Run as a file with
``python -I -S``, so it imports nothing of Kubewick.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable

PATIENCE = 2.0  # s
ROUNDS = 10


def left_behind(lines: Iterable[str]) -> set[int]:
    """Sessions, by their first process, that were started and not reported as ended."""
    alive: set[int] = set()
    for line in lines:
        sign, pid = line[:1], line[1:].strip()
        if sign == "+":
            alive.add(int(pid))
        elif sign == "-":
            alive.discard(int(pid))
    return alive


def session(leader: int) -> set[int]:
    """Processes of a session, its leader among them."""
    found = set()
    for pid in _processes():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == leader:
                found.add(pid)
    return found


def kill_session(leader: int) -> None:
    """Kill all of it; again where one forked meanwhile, at most `ROUNDS` times."""
    for _ in range(ROUNDS):
        members = session(leader)
        if not members:
            return
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _processes() -> list[int]:
    """All of this machine."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208 - names alone are wanted
    except FileNotFoundError:  # macOS
        listed = subprocess.run(["/bin/ps", "-axo", "pid="], capture_output=True, check=False).stdout
        return [int(pid) for pid in listed.split()]


def _alive(sessions: Iterable[int]) -> set[int]:
    return {leader for leader in sessions if session(leader)}


def _main(folder: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    left = left_behind(sys.stdin)
    for leader in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(leader, signal.SIGTERM)
    until = time.monotonic() + PATIENCE
    while (left := _alive(left)) and time.monotonic() < until:
        time.sleep(0.05)
    for leader in left:
        kill_session(leader)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _main(sys.argv[1])
