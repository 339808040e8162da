"""Daemons of functions end with their instance, as they do with their container in a cluster.

A function can fork twice and leave its session; its parent ends, and the kernel gives the daemon to its nearest
ancestor that is a **child subreaper** (prctl(2), Linux 3.4). There are two levels of them:

- each runtime, which reaps what it is given, as PID 1 does in a container, and
- ``wick up``, which is given what a runtime leaves behind when it ends, and kills and reaps it (`sweep`).

No cgroup: creating one needs rights that a person's shell rarely has. On macOS, which has no subreapers, launchd is
given such a daemon and it stays; the README says so.
"""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from collections.abc import Set as AbstractSet

from wick_cli.local.guardian import children

_PR_SET_CHILD_SUBREAPER = 36


def _prctl() -> Callable[[int, int, int, int, int], int] | None:
    if sys.platform != "linux":
        return None
    call = ctypes.CDLL(None, use_errno=True).prctl
    call.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    return call


_call = _prctl()


def become_subreaper() -> None:
    """Be given the orphans among this process's descendants; kept by ``exec``, not by ``fork``."""
    if _call is not None:
        _call(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def sweep(own: AbstractSet[int]) -> set[int]:
    """Kill every child of this process that is not in `own` and reap those that have ended; the ones found.

    To be called until nothing is found: a daemon's own children come to us when it has ended. `OSError` when the
    children cannot be listed.
    """
    adopted = children(os.getpid()) - own
    for pid in adopted:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return adopted
