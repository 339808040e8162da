"""The ways in which functions are started."""

import asyncio
import time
from collections.abc import Sequence

from bench import NAMESPACE, SOURCE, Bench
from client import Answer, Connection
from table import say

OK = 200
BATCH = 20
"""Functions made or removed at once."""
LATER = 3
"""Starts after which a function is removed, while the pool refills: its Deployment has adopted the pod by then."""
PROGRESS = 20
"""Starts between two lines that tell how far it is."""
ROUND = 10
"""Starts by Deployment after which their pods are removed, so that no start meets another's end."""


class Starts:
    """Some starts: those that were answered, and how many were not."""

    def __init__(self, answers: Sequence[Answer] = (), milliseconds: Sequence[float] = ()) -> None:
        self.answers = [each for each in answers if each.status == OK]
        self.lost = len(answers) - len(self.answers)
        self.milliseconds = [*milliseconds, *(each.milliseconds for each in self.answers)]

    def phases(self) -> list[str]:
        """Names of the steps, in order."""
        return list(dict.fromkeys(name for each in self.answers for name in timing(each)))

    def phase(self, name: str) -> list[float]:
        return [timing(each).get(name, 0.0) for each in self.answers]


def timing(answer: Answer) -> dict[str, float]:
    """The steps of the start from ``Server-Timing``, in milliseconds."""
    found = {}
    for entry in answer.headers.get("server-timing", "").split(","):
        name, _, rest = entry.strip().partition(";dur=")
        if rest:
            found[name] = float(rest.partition(";")[0])
    return found


class Run:
    """One benchmark's starts; every function is new."""

    def __init__(self, bench: Bench, host: str, port: int) -> None:
        self._bench, self._host, self._port = bench, host, port
        self._made = 0

    async def functions(self, count: int, source: str = SOURCE) -> list[str]:
        """So many functions at rest that never ran."""
        names = [f"f{self._made + number}" for number in range(count)]
        self._made += count
        for start in range(0, count, BATCH):
            batch = names[start : start + BATCH]
            await asyncio.gather(*(self._bench.make(name, source) for name in batch))
        await self._bench.at_rest(set(names))
        return names

    async def removed(self, names: Sequence[str]) -> None:
        """They are gone, and their pods."""
        for start in range(0, len(names), BATCH):
            await asyncio.gather(*(self._bench.remove(name) for name in names[start : start + BATCH]))
        await self._bench.quiet()

    async def call(self, name: str) -> Answer:
        connection = await Connection.open(self._host, self._port)
        try:
            answer = await connection.get(f"/function/{NAMESPACE}/{name}/")
        finally:
            connection.close()
        self._bench.used.add(answer.body.decode(errors="replace"))
        if answer.status != OK:
            say(f"{name}: {answer.status} {answer.body.decode(errors='replace')}")
        return answer

    async def sequential(self, count: int, warm: int, within: float, source: str = SOURCE) -> Starts:
        """One at a time, with the pool at its size before each; as many as `within` seconds allow."""
        names, answers = await self.functions(count, source), []
        end = time.monotonic() + within
        for name in names:
            await self._bench.pool_has(warm)
            answers.append(await self.call(name))
            if len(answers) > LATER:
                await self._bench.remove(names[len(answers) - LATER - 1])
            if len(answers) % PROGRESS == 0:
                say(f"  {len(answers)} of {count}")
            if time.monotonic() > end:
                break
        await self.removed(names)
        return Starts(answers)

    async def bursts(self, times: int, count: int, warm: int, within: float, dormant: int = 0) -> Starts:
        """All at once, with so many pods warm and dormant; as often as `within` seconds allow."""
        answers: list[Answer] = []
        end = time.monotonic() + within
        for _ in range(times):
            if time.monotonic() > end:
                break
            names = await self.functions(count)
            await self._bench.pool_has(warm, dormant)
            answers += await asyncio.gather(*(self.call(name) for name in names))
            await self.removed(names)
        return Starts(answers)

    async def back_to_back(self, times: int, count: int, warm: int, dormant: int) -> Starts:
        """One after the other without a pause."""
        answers: list[Answer] = []
        for _ in range(times):
            names = await self.functions(count)
            await self._bench.pool_has(warm, dormant)
            answers += [await self.call(name) for name in names]
            await self.removed(names)
        return Starts(answers)

    async def sustained(self, count: int, warm: int) -> tuple[Starts, float, float]:
        """One after the other, never without a warm pod; and starts a second of the first `warm`, and of the rest."""
        names = await self.functions(count)
        await self._bench.pool_has(warm)
        began = time.monotonic()
        answers = [await self.call(name) for name in names[:warm]]
        drained = time.monotonic()

        for name in names[warm:]:
            await self._bench.until(lambda: self._bench.free()[0] > 0, 60)
            answers.append(await self.call(name))
        rate = (count - warm) / (time.monotonic() - drained)
        await self.removed(names)
        return Starts(answers), warm / (drained - began), rate

    async def updates(self, count: int, warm: int, within: float) -> Starts:
        """One running function gets new source: from applying it to the end of the first answer by the new code."""
        [name] = await self.functions(1)
        await self.call(name)
        connection = await Connection.open(self._host, self._port)
        took: list[float] = []
        lost: list[Answer] = []
        end = time.monotonic() + within
        while len(took) < count and time.monotonic() < end:
            await self._bench.pool_has(warm)
            await self._bench.settled(name)
            word = f"version {len(took)}"
            began = time.perf_counter()
            await self._bench.make(name, f"def handle(request):\n    return {word!r}\n")
            while (answer := await connection.get(f"/function/{NAMESPACE}/{name}/")).body != word.encode():
                if answer.status != OK:
                    lost.append(answer)
                await asyncio.sleep(0.005)
            took.append((time.perf_counter() - began) * 1000)
        connection.close()
        await self.removed([name])
        return Starts(lost, took)

    async def beside_plain(self, count: int, within: float) -> tuple[Starts, Starts]:
        """By Deployment, and plain Deployments of the same pods, in turn."""
        names = await self.functions(count)
        await self._bench.pool_has(0)
        end = time.monotonic() + within
        answers: list[Answer] = []
        plain: list[float] = []
        for start in range(0, count, ROUND):
            for name in names[start : start + ROUND]:
                plain.append(await self._bench.plain(name, len(plain)))
                answers.append(await self.call(name))
                await self._bench.settled(name)
            await self._bench.remove_plain()
            await self.removed(names[start : start + ROUND])
            say(f"  {len(answers)} of {count}")
            if time.monotonic() > end:
                break
        await self.removed(names[len(answers) :])
        return Starts(answers), Starts(milliseconds=plain)

    async def plain_at_once(self, times: int, count: int) -> Starts:
        """So many plain Deployments of the same pods scaled 0 -> 1 at once: what no burst beyond the pool can beat."""
        [name] = await self.functions(1)
        await self._bench.pool_has(0)
        took: list[float] = []
        for turn in range(times):
            numbers = [1000 + turn * count + number for number in range(count)]
            took += await asyncio.gather(*(self._bench.plain(name, number) for number in numbers))
            await self._bench.remove_plain()
        await self.removed([name])
        return Starts(milliseconds=took)
