"""What makes a process unfit to be forked: everything that a copy would lack, or would share with the original.

The list, which the README has as a table; a process is unfit when since its start there is

- a second thread, of Python or of native code: a copy has only the one that forked,
- a child process: a copy cannot wait for it,
- an interval timer (`signal.setitimer`, `signal.alarm`): a copy has none,
- a socket, a pipe, or one of the kernel's anonymous files (epoll, eventfd, inotify, io_uring, ...): shared, so that
  one process reads what another asked for,
- a regular file, for reading or writing: its position is shared, and so are SQLite's locks,
- a device other than terminals (but for the master's end of one), null, zero, full and random: a graphics card's
  state does not survive a fork,
- memory mapped as shared and writable (`mmap`, `multiprocessing.Value`, locks of `multiprocessing`).

Directories, read-only mappings and memory of the process's own are fit. Decided in `reasons` from what `observe`
gathers; where the system does not tell (no ``/proc``), only what Python knows counts.
"""

import os
import signal
import socket
import stat
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

FIT_DEVICES: Final = frozenset({"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"})
_MAPS_FIELDS: Final = 5
"""Address, permissions, offset, device, inode; a path may follow."""

_LEAVING: Final = (0.0, 0.001, 0.004, 0.016)
"""Seconds between looks: a thread that was joined leaves the kernel's list a moment after Python's."""

Identity = tuple[int, int]
"""Device and inode of an open file."""


class File(NamedTuple):
    """An open descriptor."""

    number: int
    mode: int
    """As in `os.stat_result.st_mode`."""
    name: str
    """What it refers to, as far as the system tells: a path, a socket's peer, ``anon_inode:[eventpoll]``."""
    terminal: bool = False


class ProcessResources(NamedTuple):
    """What a process has that it did not have at its start."""

    threads: tuple[str, ...] = ()
    """Names of Python's, without the main one."""
    native_threads: int = 0
    """Threads besides the main one, Python's among them."""
    children: bool = False
    timer: bool = False
    files: tuple[File, ...] = ()
    mappings: tuple[str, ...] = ()
    """Names of memory mapped as shared and writable."""


def reasons(observed: ProcessResources) -> list[str]:
    """Why a copy would not work; empty for a process that can be forked."""
    found = []
    if observed.threads:
        found.append(f"a thread runs ({', '.join(observed.threads)})")
    if (native := observed.native_threads - len(observed.threads)) > 0:
        found.append(f"{native} threads of native code run" if native > 1 else "a thread of native code runs")
    if observed.children:
        found.append("a child process runs")
    if observed.timer:
        found.append("an interval timer runs")
    found += [_said(file) for file in observed.files if not _fit(file)]
    found += [f"memory is shared ({name})" for name in observed.mappings]
    return found


def told(found: Sequence[str], took: float | None) -> str:
    """What was decided and why, for the log and ``/readyz``; `took` ms where it was too little to save any by forks."""
    if took is not None:
        return f"each handler process loads the code for itself, which takes {took:.0f} ms"
    if found:
        why = "; ".join(found)
        return f"each handler process loads the code for itself, because one that has loaded it cannot be forked: {why}"
    return "handler processes are forked from one that has loaded the code"


def _fit(file: File) -> bool:
    if stat.S_ISCHR(file.mode):
        return file.name in FIT_DEVICES or (file.terminal and not file.name.endswith("/ptmx"))  # that one is a pipe
    return stat.S_ISDIR(file.mode)


def _said(file: File) -> str:
    number = f"descriptor {file.number}"
    if stat.S_ISSOCK(file.mode):
        return f"a socket is open ({number}{file.name and ', ' + file.name})"
    if stat.S_ISFIFO(file.mode):
        return f"a pipe is open ({number})"
    if stat.S_ISREG(file.mode):
        return f"a file is open ({number}{file.name and ', ' + file.name})"
    if stat.S_ISCHR(file.mode) or stat.S_ISBLK(file.mode):
        return f"a device is open ({number}{file.name and ', ' + file.name})"
    kind = file.name.removeprefix("anon_inode:").strip("[]") or "a file without a name"
    return f"{kind} is open ({number})"


def observe(before: Mapping[int, Identity], mapped: Iterable[str]) -> ProcessResources:
    """Look at this process; `before` and `mapped` are `open_files` and `shared_mappings` of its start."""
    main = threading.main_thread()
    new = {number: identity for number, identity in open_files().items() if before.get(number) != identity}
    files = [file for number in new if (file := _file(number)) is not None]
    present = shared_mappings()
    return ProcessResources(
        threads=tuple(thread.name for thread in threading.enumerate() if thread is not main),
        native_threads=_native_threads() - 1,
        children=_children(),
        timer=any(
            signal.getitimer(which)[0] for which in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
        ),
        files=tuple(files),
        mappings=tuple(present[key] for key in present if key not in set(mapped)),
    )


def open_files() -> dict[int, Identity]:
    """Descriptors open in this process; a number that was closed and opened again has another identity."""
    found = {}
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - pathlib costs 5 ms to import
        try:
            status = os.fstat(int(name))
        except (OSError, ValueError):  # the listing's own descriptor, closed by now; or no number
            continue
        found[int(name)] = (status.st_dev, status.st_ino)
    return found


def shared_mappings() -> dict[str, str]:
    """Names of this process's shared and writable mappings, by device and inode; none where that cannot be seen."""
    try:
        with open("/proc/self/maps") as file:  # noqa: PTH123 - pathlib costs 5 ms to import
            lines = file.readlines()
    except OSError:  # not Linux
        return {}
    found = {}
    for line in lines:
        permissions = line[line.index(" ") + 1 :][:4]
        if permissions[1] == "w" and permissions[3] == "s":
            fields = line.split(maxsplit=_MAPS_FIELDS)
            found[f"{fields[3]} {fields[4]}"] = fields[_MAPS_FIELDS].strip() if len(fields) > _MAPS_FIELDS else ""
    return found


def _file(number: int) -> File | None:
    try:
        mode = os.fstat(number).st_mode
    except OSError:
        return None
    if stat.S_ISSOCK(mode):
        return File(number, mode, _peer(number))
    try:
        name = os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115 - pathlib costs 5 ms to import
    except OSError:  # not Linux
        name = ""
    return File(number, mode, name, os.isatty(number))


def _peer(number: int) -> str:
    """Where a socket leads."""
    try:
        with socket.socket(fileno=os.dup(number)) as sock:
            peer = sock.getpeername()
    except OSError:  # not connected
        return ""
    if isinstance(peer, tuple):
        return f"connected to {peer[0]}:{peer[1]}"
    return f"connected to {peer}" if peer and isinstance(peer, str) else ""


def _native_threads() -> int:
    """Threads that Python may not know of, such as those of a numeric library; Python's where that cannot be seen."""
    try:
        for pause in _LEAVING:
            if len(os.listdir("/proc/self/task")) <= threading.active_count():  # noqa: PTH208 - as above
                break
            time.sleep(pause)
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208 - as above
    except FileNotFoundError:  # not Linux
        return threading.active_count()


def _children() -> bool:
    """Whether there are children, running or waiting to be reaped."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
