"""The loop: look at every router, decide for every function that may need it, act. Once a second, or when poked.

    +--> look: scrape all routers at once, each within `Settings.patience`; late ones make this look incomplete
    |    decide: for functions with new demand, other replicas, or a decision that falls due
    |    act: one `Scaler.scale` at a time per function, `Settings.writes` at once
    +--- wait for the next second, or a poke

One task runs it all and owns the ones that write; nothing is kept after `run` ends.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import aiohttp
from msgspec import Struct

from wick_api.names import Key
from wick_operator.autoscaling import body
from wick_operator.autoscaling.decision import Decision, decide
from wick_operator.autoscaling.demand import NOTHING, SERIES, Change, Reading
from wick_operator.autoscaling.exposition import CONTENT_TYPE
from wick_operator.autoscaling.outside import Sources, Watcher
from wick_operator.autoscaling.scaler import NotScaled, Replicas, Scaler
from wick_operator.autoscaling.track import Decided, Track

Listener = Callable[[Track, Decided], None]
"""Called when a function's decision differs from the one before; must not block."""

log = logging.getLogger(__name__)

_FILTER = [("name[]", name) for name in SERIES]
"""Routers leave out all other series when asked so; an answer with more in it is read as well."""


class Settings(Struct, frozen=True):
    """How the loop behaves; the same for every function."""

    period: float = 1.0
    """Seconds between looks."""
    patience: float = 0.8
    """Seconds a router may take to answer."""
    given_up: float = 300.0
    """Seconds after which a router that does not answer, though it is still listed, holds nothing any more."""
    breath: float = 0.01
    """Least seconds between two looks, however often it is poked."""
    writes: int = 20
    """Replica changes under way at once."""
    sources: Sources = Sources()
    """Metrics that routers do not know."""
    largest: int = 64 * 1024 * 1024
    """Bytes of one router's metrics; more is an error."""


class Autoscaler:
    """Keeps every function of one `Scaler` at the number of instances its demand asks for."""

    def __init__(
        self,
        scaler: Scaler,
        targets: Callable[[], Iterable[str]],
        clock: Callable[[], float],
        settings: Settings = Settings(),  # noqa: B008 - frozen
        *,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        listener: Listener = lambda _track, _decided: None,
    ) -> None:
        self._scaler, self._targets, self._settings = scaler, targets, settings
        self._clock, self._wall, self._listener = clock, wall, listener
        self._readings: dict[str, Reading] = {}
        self._silent: dict[str, float] = {}
        """Routers that do not answer, and since when."""
        self._asked: dict[Key, Replicas] = {}
        self._early: dict[Key, Change] = {}
        """Demand for functions that are not known, or not any more; no more of them than routers write."""
        self._poked = asyncio.Event()
        self._writing: set[Key] = set()
        self._slots = asyncio.Semaphore(settings.writes)
        self.tracks: dict[Key, Track] = {}
        self._watcher = Watcher(scaler, self.tracks, clock, settings.sources)

    def poke(self, keys: Iterable[Key] = ()) -> None:
        """Look again at once; these functions' demand may have changed. Call from the loop's own thread."""
        for key in keys:
            if track := self.tracks.get(key):
                track.due = 0.0
        self._poked.set()

    async def run(self) -> None:
        """Look, decide and act until cancelled."""
        timeout = aiohttp.ClientTimeout(total=self._settings.patience)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as writers:
            writers.create_task(self._watcher.run(), name="metrics from outside")
            looked = self._clock()
            while True:
                began = self._clock()
                self._poked.clear()
                complete, changes = await self._look(session)
                now = self._clock()
                self.decide(looked, now, changes, complete=complete, writers=writers)
                looked = now
                # A storm of pokes may take half of the time, not all of it.
                await asyncio.sleep(max(self._settings.breath, self._clock() - began))
                await self._next(began + self._settings.period)

    async def _next(self, when: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, when - self._clock())):
                await self._poked.wait()
        except TimeoutError:
            return

    async def _look(self, session: aiohttp.ClientSession) -> tuple[bool, list[dict[Key, Change]]]:
        """Scrape every router; whether all of them answered, and what they said."""
        urls = list(dict.fromkeys(self._targets()))
        texts = dict(zip(urls, await asyncio.gather(*(self._scrape(session, url) for url in urls)), strict=True))
        now = self._clock()
        self._silent = {url: self._silent.get(url, now) for url, text in texts.items() if text is None}
        lost = {url for url, since in self._silent.items() if now - since >= self._settings.given_up}
        gone = [url for url in self._readings if url not in texts or url in lost]
        changes = [self._readings.pop(url).gone() for url in gone]
        changes += [
            self._readings.setdefault(url, Reading()).feed(text) for url, text in texts.items() if text is not None
        ]
        return len(self._silent) < len(texts) and self._silent.keys() <= lost, changes

    async def _scrape(self, session: aiohttp.ClientSession, url: str) -> bytes | None:
        try:
            async with session.get(url, params=_FILTER, headers={"Accept": CONTENT_TYPE}) as response:
                response.raise_for_status()
                return await body.read(response, self._settings.largest)
        except (aiohttp.ClientError, TimeoutError, body.TooLarge) as error:
            log.warning("router %s did not answer: %s", url, str(error) or type(error).__name__)
            return None

    def decide(
        self,
        looked: float,
        now: float,
        changes: Iterable[dict[Key, Change]],
        *,
        complete: bool,
        writers: asyncio.TaskGroup,
    ) -> None:
        """Take the changes in and decide for every function that may need it."""
        self._know(now)
        for router in changes:
            self._take(looked, now, router)
        wall = self._wall()
        for key, track in self.tracks.items():
            replicas = self._scaler.replicas(key)
            if track.floor.look(wall):
                track.due = now
            if replicas is None or (track.due > now and complete and self._asked.get(key) == replicas):
                continue
            self._asked[key] = replicas
            seen = track.seen(now, replicas, complete=complete)
            decision = decide(track.policy.scale, seen)
            if track.remember(now, wall, seen, decision):
                self._listener(track, track.decided[-1])
            if decision.replicas != replicas.wanted and key not in self._writing:
                self._writing.add(key)
                writers.create_task(self._write(key, decision, replicas), name=f"scale {key}")

    def _take(self, looked: float, now: float, router: dict[Key, Change]) -> None:
        """Count one router's changes for the functions they belong to."""
        for key, change in router.items():
            track = self.tracks.get(key)
            if track is None:
                self._early[key] = [a + b for a, b in zip(self._early.get(key, NOTHING), change, strict=True)]
            else:
                self._count(key, track, looked, now, change)

    def _count(self, key: Key, track: Track, since: float, now: float, change: Change) -> None:
        replicas = self._asked.get(key)
        track.count(since, now, change, ready=replicas.ready if replicas else 0)
        track.due = now

    def _know(self, now: float) -> None:
        """Follow Functions that came, changed or went."""
        known = 0
        for function in self._scaler.functions():
            known += 1
            key = function.key
            track = self.tracks.get(key)
            if track is None:
                track = self.tracks[key] = Track(function, now)
                if early := self._early.pop(key, None):
                    self._count(key, track, now - self._settings.period, now, early)
            elif track.function is not function:
                track.changed(function, now)
        if known < len(self.tracks):
            current = {function.key for function in self._scaler.functions()}
            for key in self.tracks.keys() - current:
                self._early[key] = self.tracks.pop(key).left()
                self._asked.pop(key, None)

    async def _write(self, key: Key, decision: Decision, replicas: Replicas) -> None:
        try:
            async with self._slots:
                await self._scaler.scale(key, decision, replicas)
        except NotScaled as refused:
            log.warning("%s not scaled to %d: %s", key, decision.replicas, refused)
            if track := self.tracks.get(key):
                track.due = 0.0
        finally:
            self._writing.discard(key)
