"""A process that outlives a crashed ``wick up`` just long enough to end the instances it left behind.

``wick up`` writes ``+pid`` for each instance it starts and ``-pid`` for each that ended. When the pipe closes, however
``wick up`` died, whatever is still listed is told to stop, killed after `PATIENCE` seconds with its whole session and
all its descendants, and the folder removed. Works on Linux and macOS; macOS has no parent-death signal, and does not
list a process's children, so there a daemon with a session of its own stays. Run as a file with
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


def children(pid: int) -> set[int]:
    """Direct children of a process, zombies among them; none where the kernel does not list them (macOS)."""
    found: set[int] = set()
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - names alone are wanted
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found.update(map(int, _text(f"/proc/{pid}/task/{thread}/children").split()))
    return found


def family(leader: int) -> set[int]:
    """The session of a process and everything descended from it, daemons with a session of their own among them."""
    found, new = set[int](), session(leader)
    while new := new - found:
        found |= new
        new = set().union(*map(children, new))
    return found


def kill_family(leader: int) -> None:
    """Kill all of it; again where one forked meanwhile, at most `ROUNDS` times."""
    try:
        for _ in range(ROUNDS):
            members = family(leader)
            if not members:
                return
            for pid in members:
                _kill(pid)
    except OSError:  # no descriptor left to look with: its own process group at least
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _processes() -> list[int]:
    """All of this machine."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208 - names alone are wanted
    except FileNotFoundError:  # macOS
        listed = subprocess.run(["/bin/ps", "-axo", "pid="], capture_output=True, check=False).stdout
        return [int(pid) for pid in listed.split()]


def _started(pid: int) -> str:
    """When a process started, in the kernel's clock ticks: tells it from a later one with its number."""
    try:
        return _text(f"/proc/{pid}/stat").rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _text(file: str) -> str:
    with open(file, encoding="utf-8", errors="replace") as opened:  # noqa: PTH123 - pathlib is 10 ms of imports
        return opened.read()


def _main(folder: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    leaders = left_behind(sys.stdin)
    # A daemon is its instance's to find only while that lives, so all are noted before anyone is told to stop.
    members = {pid: _started(pid) for leader in leaders for pid in family(leader)}
    for leader in leaders:
        with contextlib.suppress(ProcessLookupError):
            os.kill(leader, signal.SIGTERM)
    until = time.monotonic() + PATIENCE
    while any(session(leader) for leader in leaders) and time.monotonic() < until:
        members |= {pid: _started(pid) for leader in leaders for pid in family(leader)}
        time.sleep(0.05)
    for leader in leaders:
        kill_family(leader)
    for pid, started in members.items():
        if started and started == _started(pid):
            _kill(pid)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _main(sys.argv[1])
