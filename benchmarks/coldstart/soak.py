"""``make soak-coldstart``: many cold starts in a row; none may be lost, no pod used twice, nothing left over.

Each function says in which pod it ran. Fails, naming what was wrong, if a request was not answered with 200, a pod
served two functions, the pool is not at its size at the end, or a pod of a function that is gone is left.
"""

import argparse
import asyncio
import contextlib
import os
import sys
import time
from collections import Counter

from bench import DORMANT, NAMESPACE, Bench
from client import Answer
from run import Run
from table import row, say

from wick_api import names
from wick_kube.cluster import Cluster
from wick_kube.resource import PODS

POOL = 10
BATCH = 50
"""Functions that exist at one time."""
PATIENCE = 3.0
"""Seconds to wait for a pod of the pool; a start goes on without one after that, by its Deployment."""


async def batch(bench: Bench, run: Run, count: int) -> list[Answer]:
    """So many starts, each as soon as a pod waits."""
    made = await run.functions(count)
    answers = []
    for name in made:
        try:
            await bench.until(lambda: any(bench.free()), PATIENCE)
        except TimeoutError:
            say(f"{name} starts without a pod of the pool")
        answers.append(await run.call(name))
    await run.removed(made)
    return answers


async def wrong(bench: Bench, answers: list[Answer]) -> list[str]:
    """What is not as it should be, in words; empty when all is well."""
    found = [f"{each.status}: {each.body.decode(errors='replace')}" for each in answers if each.status != 200]
    used = Counter(each.body.decode() for each in answers if each.status == 200)
    found += [f"pod {uid} served {times} functions" for uid, times in used.items() if times > 1]
    try:
        await bench.pool_has(POOL)
    except TimeoutError:
        found.append("the pool has {} warm and {} dormant pods, not {} and none".format(*bench.free(), POOL))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(30):
            await bench.quiet()  # the last start's claim is written, and its pod collected, seconds after its function
    for label in (names.FUNCTION, names.CLAIMED_BY):
        left = await bench.cluster.list(PODS, NAMESPACE, labels=label)
        found += [
            f"pod {each['metadata']['name']} is left" for each in left if "deletionTimestamp" not in each["metadata"]
        ]
    return found


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=1000)
    parser.add_argument(
        "--within", type=float, default=2400.0, help="seconds; then it stops, and says how many it made"
    )
    options = parser.parse_args()
    async with await Cluster.connect(os.environ["KUBECONFIG"]) as cluster:
        bench = Bench(cluster)
        watch = asyncio.create_task(bench.watch())
        try:
            await bench.open(POOL, DORMANT)
            run = Run(bench, *await bench.router())
            answers: list[Answer] = []
            began = time.monotonic()
            while len(answers) < options.starts and time.monotonic() - began < options.within:
                answers += await batch(bench, run, min(BATCH, options.starts - len(answers)))
                say(f"{len(answers)} starts in {time.monotonic() - began:.0f} s")
            problems = await wrong(bench, answers)
            found = row("soak", [each.milliseconds for each in answers])
            say(f"{found.starts} starts: p50 {found.p50} ms, p95 {found.p95} ms, max {found.longest} ms")
            for problem in problems:
                say(problem)
            say(f"{len(problems)} problems")
        finally:
            watch.cancel()
            await bench.close()
    return 1 if problems or len(answers) < options.starts else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
