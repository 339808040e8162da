"""``make bench-coldstart``: cold starts on the running test cluster, by warm pool and by Deployment.

Every start is the first of a function of its own, through the routers' Service, on an open connection; the time is
from the first byte of the request to the last of the answer. A request that fails ends the run.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
from collections.abc import Iterable, Sequence

from bench import NAMESPACE, Bench
from client import Answer, Connection

from wick_kube.cluster import Cluster


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank."""
    return sorted(values)[max(0, -(-len(values) * share // 100).__int__() - 1)]


def row(what: str, answers: Iterable[Answer | float]) -> dict[str, object]:
    times = [each if isinstance(each, float) else each.milliseconds for each in answers]
    found: dict[str, object] = {"what": what, "starts": len(times)}
    found |= {f"p{share}": round(percentile(times, share), 1) for share in (50, 95, 99)}
    found |= {"mean": round(statistics.fmean(times), 1), "max": round(max(times), 1)}
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    return found


class Run:
    def __init__(self, bench: Bench, host: str, port: int) -> None:
        self._bench, self._host, self._port = bench, host, port
        self._made = 0

    async def functions(self, count: int, **spec: object) -> list[str]:
        """So many functions at rest that never ran."""
        names = [f"f{self._made + number}" for number in range(count)]
        self._made += count
        for start in range(0, count, 20):
            await asyncio.gather(*(self._bench.make(name, **spec) for name in names[start : start + 20]))
        await self._bench.at_rest(set(names))
        return names

    async def call(self, name: str) -> Answer:
        connection = await Connection.open(self._host, self._port)
        try:
            answer = await connection.get(f"/function/{NAMESPACE}/{name}/")
        finally:
            connection.close()
        if answer.status != 200:
            raise SystemExit(f"{name}: {answer.status} {answer.body.decode(errors='replace')}")
        return answer

    async def sequential(self, count: int, warm: int, **spec: object) -> list[Answer]:
        """One at a time, with the pool at its size before each."""
        answers = []
        for name in await self.functions(count, **spec):
            if warm:
                await self._bench.pool_has(warm)
            answers.append(await self.call(name))
            await self._bench.remove(name)
        return answers

    async def burst(self, count: int, warm: int) -> list[Answer]:
        """All at once, with so many pods warm."""
        names = await self.functions(count)
        await self._bench.pool_has(warm)
        answers = await asyncio.gather(*(self.call(name) for name in names))
        for name in names:
            await self._bench.remove(name)
        await self._bench.quiet()
        return list(answers)

    async def back_to_back(self, count: int) -> list[Answer]:
        """One after the other without a pause."""
        names = await self.functions(count)
        answers = [await self.call(name) for name in names]
        for name in names:
            await self._bench.remove(name)
        await self._bench.quiet()
        return answers


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=200, help="by warm pool, one at a time")
    parser.add_argument("--deployment", type=int, default=50, help="by Deployment, and plain Deployments")
    parser.add_argument("--only", default="", help="comma-separated: sequential, bursts, dry, deployment, plain")
    options = parser.parse_args()
    chosen = set(filter(None, options.only.split(","))) or {"sequential", "bursts", "dry", "deployment", "plain"}
    async with await Cluster.connect(os.environ["KUBECONFIG"]) as cluster:
        bench = Bench(cluster)
        run = Run(bench, *await bench.router())
        if "sequential" in chosen:
            await bench.open(5)
            answers = await run.sequential(options.starts, 5)
            row("warm pool, one at a time", answers)
            for name in sorted({name for answer in answers for name in phases(answer)}):
                row(f"  phase {name}", [phases(answer).get(name, 0.0) for answer in answers])
        if "bursts" in chosen:
            await bench.open(10)
            row("burst of 10, ten warm", [each for _ in range(3) for each in await run.burst(10, 10)])
            await bench.open(3)
            row("burst of 10, three warm", [each for _ in range(3) for each in await run.burst(10, 3)])
            await bench.open(10)
            row("burst of 50, ten warm", await run.burst(50, 10))
        if "dry" in chosen:
            await bench.open(5)
            row("back to back", await run.back_to_back(30))
        await bench.open(0)
        if "deployment" in chosen:
            row("Deployment, one at a time", await run.sequential(options.deployment, 0))
        if "plain" in chosen:
            [model] = await run.functions(1)
            row("plain Deployment 0 -> 1", [await bench.plain(model, number) for number in range(options.deployment)])
        await bench.close()


def phases(answer: Answer) -> dict[str, float]:
    """The steps of the start from ``Server-Timing``, in milliseconds."""
    found = {}
    for entry in answer.headers.get("server-timing", "").split(","):
        name, _, rest = entry.strip().partition(";dur=")
        if rest:
            found[name] = float(rest.partition(";")[0])
    return found


if __name__ == "__main__":
    asyncio.run(main())
