"""What the numbers were taken on, from ``/proc``."""

import datetime as dt
import os
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


def described() -> str:
    """When, on how many processors, and how loaded it was before."""
    when = dt.datetime.now(dt.UTC)
    load = os.getloadavg()[0]
    return f"{when:%Y-%m-%d}, {os.cpu_count()} processors shared with the whole cluster, load {load:.1f} before."
