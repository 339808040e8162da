"""How a process of the function ended, in words a person can act on.

The kernel kills whoever holds the most memory, not PID 1, so Kubernetes does not see an ``OOMKilled`` container:
the control group's own counter is what tells a lack of memory from any other SIGKILL.
"""

import os
import signal

_UNLIMITED = 1 << 60
_GROUPS = (
    ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory.max"),
    ("/sys/fs/cgroup/memory/memory.oom_control", "/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""Where version 2 and version 1 of control groups count kills and keep the limit."""


def died(status: int) -> str:
    """What a wait status says, as a phrase that follows "the process"; negative for a signal."""
    if status == os.EX_UNAVAILABLE:
        return "ended"
    if status == -signal.SIGKILL and (limit := exceeded()):
        return f"ran out of memory: the limit is {limit / 1048576:.0f} MiB (spec.resources.limits.memory)"
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"exited with code {status}"


def exceeded(groups: tuple[tuple[str, str], ...] = _GROUPS) -> int:
    """The memory limit in bytes if the kernel has killed for it in this container; 0 if not, or if there is none."""
    for events, limit in groups:
        kills = dict(line.split() for line in _read(events).splitlines() if len(line.split()) == 2)  # noqa: PLR2004
        text = _read(limit).strip()
        if int(kills.get("oom_kill", 0)) and text.isdecimal() and int(text) < _UNLIMITED:
            return int(text)
    return 0


def _read(path: str) -> str:
    try:
        with open(path) as file:  # noqa: PTH123 - pathlib costs 5 ms to import
            return file.read()
    except OSError:
        return ""
