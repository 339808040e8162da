"""CPU and memory of one tick: `python benchmarks/autoscaler/tick.py [--write] [FUNCTIONS]`.

1. Two routers' text about five thousand functions, read in one tick. Goal: 100 ms of CPU.
2. Ten thousand functions at zero. Goal: next to nothing.
3. Ten thousand functions, every one of them with new demand, decided in one tick. Goal: 250 ms of CPU, 200 MB.

`--write` puts the table into benchmarks/README.md. CPU is this process's own (`time.process_time`), the median and the
worst of thirty ticks after everything has settled.
"""

import argparse
import asyncio
import gc
import random
import resource
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from wick_api import metric
from wick_api.function import parse
from wick_api.names import Key
from wick_autoscaler.collector import Look
from wick_autoscaler.decisions.demand import Reading
from wick_autoscaler.decisions.scaler import Replicas
from wick_autoscaler.loop import Autoscaler

TICKS = 30
WARM = 130
"""Ticks until everything has settled: two windows."""
README, MARK = Path(__file__).parents[1] / "README.md", "<!-- autoscaler -->"


class Platform:
    """Functions that have what was last asked for."""

    def __init__(self, count, replicas):
        self.news = None
        self.all = [
            parse(
                {
                    "apiVersion": "kubewick.dev/v1alpha1",
                    "kind": "Function",
                    "metadata": {"name": f"function-{number}", "namespace": f"team-{number % 50}"},
                    "spec": {"image": "x", "scale": {"max": 100}},
                }
            )
            for number in range(count)
        ]
        self.known = {function.key: function for function in self.all}
        self.counts = {function.key: Replicas(replicas, replicas) for function in self.all}

    def functions(self):
        return self.all

    def changed(self):
        news, self.news = self.news, {}
        return news

    def replicas(self, key):
        return self.counts[key]

    def instances(self, _key):
        return []

    async def scale(self, key, decision, _replicas):
        self.counts[key] = Replicas(decision.replicas, decision.replicas)
        self.news[key] = self.known[key]


def row(name, seconds, goal, **more):
    return {
        "what": name,
        "median ms": round(statistics.median(seconds) * 1000, 2),
        "worst ms": round(max(seconds) * 1000, 1),
        "goal ms": goal,
        **more,
    }


async def decisions(count, *, active):
    """Functions with demand that wanders, so that some are rescaled in every tick; or all of them at zero."""
    generator, platform, now = random.Random(1), Platform(count, 2 if active else 0), 0.0
    before = memory()
    autoscaler = Autoscaler(platform, list, lambda: now, wall=lambda: datetime(2026, 11, 21, tzinfo=UTC))
    levels = {key: generator.uniform(1, 40) for key in platform.counts} if active else {}
    spent = []
    async with asyncio.TaskGroup() as writers:
        for tick in range(WARM + TICKS):
            changes = {}
            for key, before_it in levels.items():
                level = levels[key] = max(0.5, before_it + generator.uniform(-4, 4))
                changes[key] = [level, level * 3, 0.0, 0.0]
            began = time.process_time()
            autoscaler.decide(Look(now, now + 1, [changes], complete=True), now + 1, writers)
            if tick >= WARM:
                spent.append(time.process_time() - began)
            now += 1
            await asyncio.sleep(0)
    gc.collect()
    what, goal = ("all active", 250) if active else ("all at zero", "")
    return row(f"decide {count} functions, {what}", spent, goal, **{"MB": memory(), "of these before": before})


def memory():
    """Most resident megabytes so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def router_text(functions, tick, active):
    """What a router writes about so many functions, `active` of them (a share) busy."""
    lines = []
    for number in range(functions):
        label = f'namespace="team-{number % 50}",function="function-{number}"'
        moved = tick if number < functions * active else 0
        lines += [
            f'{metric.INFLIGHT_SECONDS}{{{label},revision="0123456789"}} {number + moved * 1.234567}',
            f'{metric.REQUESTS}{{{label},revision="0123456789",code="200"}} {number + moved * 7}',
            f"{metric.IN_FLIGHT}{{{label}}} {(number + moved) % 7}",
            f"{metric.QUEUE_DEPTH}{{{label}}} 0",
        ]
    return "\n".join(lines).encode()


def reading(functions, active):
    readings, spent, size = [Reading(), Reading()], [], 0
    for tick in range(TICKS + 1):
        texts = [router_text(functions, tick, active) for _ in readings]
        size = len(texts[0])
        began = time.process_time()
        changes = [reading.feed(text) for reading, text in zip(readings, texts, strict=True)]
        if tick:
            spent.append(time.process_time() - began)
        assert tick == 0 or not active or Key("team-0", "function-0") in changes[0]
    goal = 100 if active == 1 else ""
    return row(f"read 2 routers x {functions} functions, {active:.0%} active", spent, goal, kB=size // 1000)


def table(rows):
    """Markdown."""
    columns = ["what", "median ms", "worst ms", "goal ms", "kB", "MB", "of these before"]
    lines = [columns, ["---"] * len(columns), *([str(each.get(column, "")) for column in columns] for each in rows)]
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), "", interpreter()])


def interpreter():
    """Which one this is: one built without profile-guided optimisation takes a quarter longer."""
    return f"{sys.implementation.name} {sys.version}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("functions", nargs="?", type=int, default=10_000)
    parser.add_argument("--write", action="store_true")
    wanted = parser.parse_args()
    rows = [reading(wanted.functions // 2, share) for share in (0.0, 0.01, 0.1, 1.0)]
    rows += [asyncio.run(decisions(wanted.functions, active=active)) for active in (False, True)]
    print(table(rows))
    if wanted.write:
        before, _, after = README.read_text().split(MARK)
        README.write_text(f"{before}{MARK}\n{table(rows)}\n{MARK}{after}")


if __name__ == "__main__":
    main()
