"""CPU and memory of one tick: `python benchmarks/autoscaler/tick.py`.

1. Ten thousand functions, every one of them with new demand, decided in one tick. Goal: 250 ms of CPU, 200 MB.
2. Two routers' text about five thousand functions, read in one tick. Goal: 100 ms of CPU.

CPU is this process's own (`time.process_time`), the median and the worst of thirty ticks after a full window.
"""

import asyncio
import gc
import json
import random
import resource
import statistics
import sys
import time
from datetime import UTC, datetime

from wick_api import metric
from wick_api.function import parse
from wick_api.names import Key
from wick_operator.autoscaling.demand import Reading
from wick_operator.autoscaling.loop import Autoscaler
from wick_operator.autoscaling.scaler import Replicas

TICKS = 30


class Platform:
    """Functions that have what was last asked for."""

    def __init__(self, count):
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
        self.counts = {function.key: Replicas(2, 2) for function in self.all}

    def functions(self):
        return self.all

    def replicas(self, key):
        return self.counts[key]

    def instances(self, _key):
        return []

    async def scale(self, key, decision, _replicas):
        self.counts[key] = Replicas(decision.replicas, decision.replicas)


def report(name, seconds, **more):
    row = {
        "what": name,
        "median ms": round(statistics.median(seconds) * 1000, 1),
        "worst ms": round(max(seconds) * 1000, 1),
        **more,
    }
    print(json.dumps(row))


async def decisions(count):
    """All functions with demand that wanders, so that some are rescaled in every tick."""
    generator, platform, now = random.Random(1), Platform(count), 0.0
    before = memory()
    autoscaler = Autoscaler(platform, list, lambda: now, wall=lambda: datetime(2026, 11, 21, tzinfo=UTC))
    levels = {key: generator.uniform(1, 40) for key in platform.counts}
    spent = []
    async with asyncio.TaskGroup() as writers:
        for tick in range(70 + TICKS):
            changes = {}
            for key, before_it in levels.items():
                level = levels[key] = max(0.5, before_it + generator.uniform(-4, 4))
                changes[key] = [level, level * 3, 0.0, 0.0]
            began = time.process_time()
            autoscaler.decide(now, now + 1, [changes], complete=True, writers=writers)
            if tick >= 70:
                spent.append(time.process_time() - began)
            now += 1
            await asyncio.sleep(0)
    gc.collect()
    report(f"decide {count} functions, all active", spent, **{"MB in all": memory(), "MB before": before})


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
    report(f"read 2 routers x {functions} functions, {active:.0%} active", spent, **{"kB a router": size // 1000})


if __name__ == "__main__":
    scale = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    for share in (0.0, 0.1, 1.0):
        reading(scale // 2, share)
    asyncio.run(decisions(scale))
