"""What the numbers were taken on, and which processes the time went to, from ``/proc``."""

import datetime as dt
import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple


class Busy(NamedTuple):
    """Processor time of the whole machine so far, in ticks."""

    used: int
    total: int

    @classmethod
    def now(cls) -> "Busy":
        ticks = [int(each) for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return cls(sum(ticks) - ticks[3] - ticks[4], sum(ticks))

    def since(self) -> float:
        """The busy share of the time from then to now."""
        now = Busy.now()
        return (now.used - self.used) / max(1, now.total - self.total)


class Bill(NamedTuple):
    """Processor seconds of every program so far; those of short-lived ones count as their parent's children.

    What outlives its parent, as shims and much of what runc starts does, ends as a child of init.
    """

    spent: Counter[str]
    used: float

    @classmethod
    def now(cls) -> "Bill":
        spent: Counter[str] = Counter()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    stat, arguments = (entry / "stat").read_text(), (entry / "cmdline").read_text()
                except (FileNotFoundError, ProcessLookupError):
                    continue  # it ended while we looked
                name = "init" if entry.name == "1" else _name(stat, arguments.split("\0"))
                own, waited = _seconds(stat)
                spent[name] += own
                spent[f"children of {name}"] += waited
        return cls(spent, Busy.now().used * _TICK)

    def since(self, starts: int, least: float = 0.02) -> str:
        """Each program's seconds for one of so many starts since then, dearest first, down to `least`."""
        now = Bill.now()
        spent = {name: (seconds - self.spent[name]) / starts for name, seconds in now.spent.items()}
        named = {name: seconds for name, seconds in spent.items() if seconds >= least}
        total = (now.used - self.used) / starts
        named["all others"] = total - sum(named.values())
        listed = sorted(named.items(), key=lambda each: -each[1])
        return f"{total:.2f} s: " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in listed)


_TICK = 1 / os.sysconf("SC_CLK_TCK")


def _name(stat: str, arguments: list[str]) -> str:
    """The module of a Python program, the program else."""
    if "-m" in arguments[:-1]:
        return arguments[arguments.index("-m") + 1]
    return stat[stat.index("(") + 1 : stat.rindex(")")]


def _seconds(stat: str) -> tuple[float, float]:
    """Processor seconds of a process, and of its children that it waited for."""
    fields = stat.rpartition(")")[2].split()
    user, system, child_user, child_system = (int(each) * _TICK for each in fields[11:15])
    return user + system, child_user + child_system


def described() -> str:
    """When, on how many processors, and how loaded it was before."""
    when = dt.datetime.now(dt.UTC)
    load = os.getloadavg()[0]
    return f"{when:%Y-%m-%d %H:%M}, {os.cpu_count()} processors shared with the whole cluster, load {load:.1f} before."
