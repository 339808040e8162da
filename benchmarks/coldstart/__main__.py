"""``make bench-coldstart``: cold starts on the running test cluster, by warm pool and by Deployment.

Every start is the first of a function of its own, through the routers' Service, on an open connection; the time is
from the first byte of the request to the last of the answer. A request that is not answered with 200 is counted as lost
and makes the run fail at its end. Each part has its share of the time, and all of them together never take more than
`LONGEST`; the table is kept after each. ``--rows large,floor`` measures these parts only and leaves the rest as it is.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable

from bench import DORMANT, HEAVY, PRELOADED, Bench
from machine import Bill, Busy, described
from run import Run, Starts
from table import Report, row, say

from wick_kube.cluster import Cluster

LONGEST = 880.0
"""Seconds for all parts; removing the namespace comes on top."""

Part = Callable[[Bench, Run, Report, argparse.Namespace], Awaitable[None]]


def add(report: Report, what: str, starts: Starts) -> None:
    report.add(row(what, starts.milliseconds, starts.lost))


async def sequential(bench: Bench, run: Run, report: Report, options: argparse.Namespace) -> None:
    await bench.open(5)
    bill = Bill.now()
    starts = await run.sequential(options.starts, warm=5, within=230)
    count = len(starts.milliseconds)
    add(report, "warm pool, one at a time", starts)
    report.note(
        "sequential", f"processor time of one start, its adoption, its refill and its removal {bill.since(count)}."
    )
    for name in starts.phases():
        report.add(row(f"- of it {name}", starts.phase(name)))


async def burst(bench: Bench, run: Run, report: Report, _: argparse.Namespace) -> None:
    await bench.open(10)
    add(report, "burst of 10, ten warm", await run.bursts(3, 10, warm=10, within=45))


async def beyond(bench: Bench, run: Run, report: Report, _: argparse.Namespace) -> None:
    """The functions are ten and the resident one, so that there are eight dormant pods."""
    await bench.open(3, DORMANT)
    starts = await run.bursts(3, 10, warm=3, within=45, dormant=8)
    add(report, "burst of 10, three warm, dormant ones beside", starts)
    await bench.open(3)
    add(report, "burst of 10, three warm, none dormant", await run.bursts(2, 10, warm=3, within=30))


async def large(bench: Bench, run: Run, report: Report, _: argparse.Namespace) -> None:
    await bench.open(10, DORMANT)
    add(report, "burst of 50, ten warm, ten dormant", await run.bursts(1, 50, warm=10, within=45, dormant=10))


async def dry(bench: Bench, run: Run, report: Report, _: argparse.Namespace) -> None:
    await bench.open(5, DORMANT)
    add(report, "back to back until dry: five warm, ten dormant", await run.back_to_back(2, 15, warm=5, dormant=10))
    add(report, "back to back beyond: 30 of these", await run.back_to_back(1, 30, warm=5, dormant=10))


async def sustained(bench: Bench, run: Run, report: Report, _: argparse.Namespace) -> None:
    await bench.open(10)
    busy = Busy.now()
    starts, drained, rate = await run.sustained(40, warm=10)
    add(report, "sustained: each as soon as a pod is warm", starts)
    report.note(
        "sustained",
        f"ten warm pods are used up at {drained:.0f} starts a second; then the refill bounds it: {rate:.2f} starts a "
        f"second, with the machine's processors {busy.since():.0%} busy.",
    )


async def preload(bench: Bench, run: Run, report: Report, _: argparse.Namespace) -> None:
    await bench.open(3)
    add(report, "heavy import, not preloaded", await run.sequential(10, warm=3, within=40, source=HEAVY))
    await bench.open(3, preload=PRELOADED)
    await bench.renewed(3, PRELOADED)
    add(report, "heavy import, preloaded in the zygote", await run.sequential(10, warm=3, within=40, source=HEAVY))


async def deployment(bench: Bench, run: Run, report: Report, options: argparse.Namespace) -> None:
    """In turn, so that both meet the same machine."""
    await bench.open(0)
    ours, plain = await run.beside_plain(options.deployment, within=160)
    add(report, "Deployment, one at a time", ours)
    add(report, "plain Deployment 0 -> 1", plain)


async def update(bench: Bench, run: Run, report: Report, _: argparse.Namespace) -> None:
    await bench.open(3)
    add(report, "update of a running function, by warm pool", await run.updates(12, warm=3, within=30))
    await bench.open(0)
    add(report, "update of a running function, by Deployment", await run.updates(6, warm=0, within=20))


async def floor(bench: Bench, run: Run, report: Report, _: argparse.Namespace) -> None:
    """What the node itself can do when a burst meets an empty pool."""
    await bench.open(0)
    add(report, "seven plain Deployments 0 -> 1 at once", await run.plain_at_once(3, 7))


PARTS: dict[str, tuple[Part, float]] = {
    "sequential": (sequential, 280),
    "burst": (burst, 80),
    "beyond": (beyond, 110),
    "dry": (dry, 110),
    "large": (large, 120),
    "floor": (floor, 45),
    "deployment": (deployment, 220),
    "sustained": (sustained, 90),
    "preload": (preload, 70),
    "update": (update, 70),
}
"""Each with the seconds it may take, making and removing its functions included."""


async def part(name: str, seconds: float, bench: Bench, run: Run, report: Report, options: argparse.Namespace) -> None:
    """One part; what it had not measured when its time was over is missing, and said."""
    say(f"{name}: at most {seconds:.0f} s")
    report.forget(name)
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await bench.clear()
            await PARTS[name][0](bench, run, report, options)
    except TimeoutError:
        report.note(name, "not finished in its time; `--rows` takes it again.")
    if options.write:
        report.write()


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=110, help="by warm pool, one at a time")
    parser.add_argument("--deployment", type=int, default=50, help="by Deployment, and of plain Deployments")
    parser.add_argument("--rows", default="", help=f"comma-separated: {', '.join(PARTS)}; all where none is named")
    parser.add_argument("--write", action="store_true", help="keep the table in benchmarks/README.md")
    options = parser.parse_args()
    chosen = set(filter(None, options.rows.split(","))) or PARTS.keys()
    if unknown := chosen - PARTS.keys():
        parser.error(f"no such rows: {', '.join(sorted(unknown))}")
    report = Report(described())
    async with await Cluster.connect(os.environ["KUBECONFIG"]) as cluster:
        bench = Bench(cluster)
        watch = asyncio.create_task(bench.watch())
        end = asyncio.get_running_loop().time() + LONGEST
        try:
            run = Run(bench, *await bench.router())
            for name in [name for name in PARTS if name in chosen]:
                await part(
                    name, min(PARTS[name][1], end - asyncio.get_running_loop().time()), bench, run, report, options
                )
        finally:
            watch.cancel()
            await bench.close()
    return 1 if report.lost else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
