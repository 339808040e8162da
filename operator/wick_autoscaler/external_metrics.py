"""Reads the metrics that routers do not know: instances' CPU and memory, and Prometheus servers.

One task, once in a while for all functions at once; each question has its own time limit, and one that fails is known
to have failed, which freezes that function from shrinking and nothing else.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Protocol

import aiohttp
from msgspec import Struct

from wick_api.fault import Faults
from wick_api.names import Key
from wick_autoscaler import body
from wick_autoscaler.decisions import usage
from wick_autoscaler.decisions.exposition import CONTENT_TYPE
from wick_autoscaler.decisions.function_state import Outside, Track
from wick_autoscaler.decisions.policy import USAGE, Goal
from wick_autoscaler.decisions.scaler import Scaler
from wick_autoscaler.decisions.window import History
from wick_autoscaler.prometheus import Access, Unanswered, ask

log = logging.getLogger(__name__)


class SecretSource(Protocol):
    """Where the Secrets are that metrics name; `Unanswered` when one is missing or cannot be used."""

    async def access(self, namespace: str, secret: str) -> Access:
        """How to present oneself to the server."""


class Anonymous:
    """For platforms without Secrets."""

    async def access(self, _namespace: str, secret: str) -> Access:
        """Refuses to know any."""
        raise Unanswered(f"this platform has no Secrets, so not {secret!r} either")


class Sources(Struct, frozen=True):
    """How to ask."""

    server: str = ""
    """The installation's Prometheus-compatible server; empty for none."""
    secrets: SecretSource = Anonymous()
    period: float = 2.0
    """Seconds between two rounds."""
    patience: float = 2.0
    """Seconds one question may take."""
    questions: int = 50
    """Asked at once."""
    largest: int = 4 * 1024 * 1024
    """Bytes of one instance's metrics."""


class _Instances:
    """CPU history of one function's instances."""

    def __init__(self, now: float) -> None:
        self.usage, self.cpu, self.looked = usage.Usage(), History(now), now


class ExternalMetricsPoller:
    """Keeps every track's `outside` up to date while it runs."""

    def __init__(
        self,
        scaler: Scaler,
        tracks: Mapping[Key, Track],
        clock: Callable[[], float],
        sources: Sources,
        told: Callable[[Key], None],
        faults: Faults,
    ) -> None:
        """`told` hears of each function whose metrics were read."""
        self._scaler, self._tracks, self._clock, self._sources = scaler, tracks, clock, sources
        self._told, self._faults = told, faults
        self._slots = asyncio.Semaphore(sources.questions)
        self._instances: dict[Key, _Instances] = {}

    async def run(self) -> None:
        """Ask round after round until cancelled."""
        timeout = aiohttp.ClientTimeout(total=self._sources.patience)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                began = self._clock()
                curious = [(key, track) for key, track in self._tracks.items() if track.policy.outside]
                await asyncio.gather(*(self._track(session, key, track) for key, track in curious))
                for key in self._instances.keys() - {key for key, _ in curious}:
                    del self._instances[key]
                await asyncio.sleep(max(0.0, began + self._sources.period - self._clock()))

    async def _track(self, session: aiohttp.ClientSession, key: Key, track: Track) -> None:
        with self._faults.border("metrics from outside", key):
            await self._read(session, key, track)

    async def _read(self, session: aiohttp.ClientSession, key: Key, track: Track) -> None:
        goals = track.policy.goals
        instances, answers = await asyncio.gather(
            self._used(session, key, track),
            asyncio.gather(*(self._prometheus(session, key, goal) for goal in goals if _queried(goal))),
        )
        numbers = iter(answers)
        track.told(
            self._clock(),
            [
                next(numbers) if goal.metric.type == "prometheus" else instances.get(goal.metric.type, _NONE)
                for goal in goals
            ],
        )
        self._told(key)

    async def _prometheus(self, session: aiohttp.ClientSession, key: Key, goal: Goal) -> Outside:
        metric = goal.metric
        server = metric.server or self._sources.server
        if not server:
            return Outside(trouble="no server is named, neither here nor by the installation")
        try:
            async with self._slots:
                access = await self._sources.secrets.access(key.namespace, metric.secret) if metric.secret else Access()
                value = await ask(session, server, metric.query, access)
        except Unanswered as why:
            return Outside(trouble=str(why))
        return Outside(value, value, "")

    async def _used(self, session: aiohttp.ClientSession, key: Key, track: Track) -> dict[str, Outside]:
        """CPU and memory over all instances, or why they are not known."""
        if not track.policy.usage:
            return {}
        urls = list(self._scaler.instances(key))
        texts = await asyncio.gather(*(self._instance(session, url) for url in urls))
        used = {url: one for url, text in zip(urls, texts, strict=True) if text and (one := usage.read(text))}
        now = self._clock()
        known = self._instances.setdefault(key, _Instances(now))
        seconds, held = known.usage.feed(used)
        known.cpu.add(known.looked, now, seconds, 0.0)
        known.cpu.forget(now - track.policy.scale.window - 1)
        known.looked = now
        if len(used) < len(urls):
            silent = Outside(trouble=f"{len(urls) - len(used)} of {len(urls)} instances do not tell")
            return dict.fromkeys(USAGE, silent)
        spec = track.function.spec
        cores = usage.requested(spec, "cpu", usage.CORES) / 100
        memory = held / usage.requested(spec, "memory", usage.BYTES) * 100
        return {
            "cpu": Outside(
                known.cpu.concurrency(now, track.policy.scale.window) / cores,
                known.cpu.concurrency(now, track.policy.panic_window) / cores,
                "",
            ),
            "memory": Outside(memory, memory, ""),
        }

    async def _instance(self, session: aiohttp.ClientSession, url: str) -> bytes | None:
        try:
            async with self._slots, session.get(url, headers={"Accept": CONTENT_TYPE}) as response:
                response.raise_for_status()
                return await body.read(response, self._sources.largest)
        except (aiohttp.ClientError, TimeoutError, body.TooLarge) as error:
            log.debug("instance %s did not answer: %s", url, error or type(error).__name__)
            return None


_NONE = Outside(0.0, 0.0, "")


def _queried(goal: Goal) -> bool:
    return goal.metric.type == "prometheus"
