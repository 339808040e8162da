"""The autoscaler's loop: collect demand, decide for each function that may need it, act. Once a second, or when poked.

    +--> look: what all routers counted since the last look (`collector`)
    |    decide: for functions with new demand, poked, edited, with other replicas, or whose decision falls due
    |    act: one `Scaler.scale` at a time per function, `AutoscalerSettings.writes` at once
    +--- wait for the next second, or a poke

A function at rest is in none of these sets, so no tick touches it. Should any of them have a hole, a round through all
functions, a slice each tick, finds what was missed within `AutoscalerSettings.round`; the forecast learns of quiet
times by it.

One task runs it all and owns the ones that write; nothing is kept after `run` ends.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime

import aiohttp
from msgspec import Struct

from wick_api.fault import Faults
from wick_api.function import Function
from wick_api.names import Key
from wick_autoscaler.collector import Collector, Look
from wick_autoscaler.decisions.decision import Decision, decide
from wick_autoscaler.decisions.demand import NOTHING, Change
from wick_autoscaler.decisions.function_state import Decided, Track
from wick_autoscaler.decisions.recheck_queue import Agenda
from wick_autoscaler.decisions.scaler import NotScaled, Replicas, Scaler
from wick_autoscaler.external_metrics import ExternalMetricsPoller, Sources

Listener = Callable[[Track, Decided], None]
"""Called when a function's decision differs from the one before; must not block."""

log = logging.getLogger(__name__)

_DECISION, _SCHEDULE, _DEMAND = "scaling decision", "schedule", "demand"
_POLICY, _WRITE = "scaling policy", "scaling write"
"""Borders, as faults name them."""


class AutoscalerSettings(Struct, frozen=True):
    """How the loop behaves; the same for every function."""

    period: float = 1.0
    """Seconds between looks."""
    patience: float = 0.8
    """Seconds a router may take to answer."""
    given_up: float = 300.0
    """Seconds after which a listed router that does not answer counts as gone: its requests in flight are dropped."""
    round: float = 30.0
    """Seconds in which every function is looked at once, whatever happens; less than the shortest forecast's slot."""
    breath: float = 0.01
    """Least seconds between two looks, however often the loop is poked."""
    writes: int = 20
    """Replica changes under way at once."""
    sources: Sources = Sources()
    """Metrics that routers do not know."""
    largest: int = 64 * 1024 * 1024
    """Bytes of one router's metrics; more is an error."""


class Autoscaler:
    """Keeps every function of one `Scaler` at the number of instances its demand asks for."""

    def __init__(  # noqa: PLR0913 - one of each thing it is wired to
        self,
        scaler: Scaler,
        targets: Callable[[], Iterable[str]],
        clock: Callable[[], float],
        settings: AutoscalerSettings = AutoscalerSettings(),  # noqa: B008 - frozen
        *,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        listener: Listener = lambda _track, _decided: None,
        faults: Faults | None = None,
    ) -> None:
        self._scaler, self._targets, self._settings = scaler, targets, settings
        self._clock, self._wall, self._listener = clock, wall, listener
        self._faults = faults or Faults()
        self._asked: dict[Key, Replicas] = {}
        self._early: dict[Key, Change] = {}
        """Demand of functions that the scaler does not list, or no longer lists; at most those that routers export."""
        self._poked = asyncio.Event()
        self._writing: set[Key] = set()
        self._slots = asyncio.Semaphore(settings.writes)
        self._touched: dict[Key, None] = {}
        """Functions that the next tick decides for, in this order."""
        self._agenda = Agenda()
        self._round: Iterator[Key] = iter(())
        self._rounded = clock()
        self._passed: set[Key] = set()
        """Functions whose decision changed while the write of the one before was under way; decided again after it."""
        self.tracks: dict[Key, Track] = {}
        self._watcher = ExternalMetricsPoller(scaler, self.tracks, clock, settings.sources, self._touch, self._faults)

    def poke(self, keys: Iterable[Key] = ()) -> None:
        """Look again at once; these functions' demand may have changed. Call from the loop's own thread."""
        for key in keys:
            self._touch(key)
        self._poked.set()

    def _touch(self, key: Key) -> None:
        if key in self.tracks:
            self._touched[key] = None

    async def run(self) -> None:
        """Look, decide and act until cancelled."""
        timeout = aiohttp.ClientTimeout(total=self._settings.patience)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as writers:
            writers.create_task(self._watcher.run(), name="metrics from outside")
            largest, given_up = self._settings.largest, self._settings.given_up
            collector = Collector(session, self._targets, self._clock, given_up=given_up, largest=largest)
            while True:
                began = self._clock()
                self._poked.clear()
                look = await collector.collect()
                self.decide(look, self._clock(), writers)
                # A storm of pokes may take half of the time, not all of it.
                await asyncio.sleep(max(self._settings.breath, self._clock() - began))
                await self._next(began + self._settings.period)

    async def _next(self, when: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, when - self._clock())):
                await self._poked.wait()
        except TimeoutError:
            return

    def decide(self, look: Look, now: float, writers: asyncio.TaskGroup) -> None:
        """Take the changes in and decide for every function that may need it."""
        wall = self._wall()
        self._know(now)
        for router in look.changes:
            self._take(look, router)
        self._touched.update(dict.fromkeys(self._agenda.take(now)))
        self._look_round(now, wall)
        touched, self._touched = self._touched, {}
        for key in touched:
            try:
                track, replicas = self.tracks.get(key), self._scaler.replicas(key)
                if track is not None and replicas is not None:
                    self._decide(key, track, replicas, now, wall, look=look, writers=writers)
            except Exception as error:  # noqa: BLE001 - a border: the next function is decided on whatever this one was
                self._faults.caught(_DECISION, key, error)
                self._agenda.put(key, now + self._settings.round)
            else:
                self._faults.passed(_DECISION, key)

    def _decide(  # noqa: PLR0913 - what a tick knows
        self,
        key: Key,
        track: Track,
        replicas: Replicas,
        now: float,
        wall: datetime,
        *,
        look: Look,
        writers: asyncio.TaskGroup,
    ) -> None:
        self._asked[key] = replicas
        track.floor.look(wall)
        seen = track.seen(now, replicas, complete=look.complete, until=look.until)
        decision = decide(track.policy.scale, seen)
        if track.remember(now, wall, seen, decision):
            self._listener(track, track.decided[-1])
        self._agenda.put(key, now + min(decision.recheck_after, track.floor.wait(wall)))
        if decision.replicas == replicas.wanted:
            return
        if key in self._writing:
            self._passed.add(key)
            return
        self._writing.add(key)
        writers.create_task(self._write(key, decision, replicas), name=f"scale {key}")

    def _look_round(self, now: float, wall: datetime) -> None:
        """Enqueue those of the next slice of all functions whose change no event reported."""
        due = int(len(self.tracks) * min((now - self._rounded) / self._settings.round, 1.0))
        if not due:
            return
        self._rounded = now
        for _ in range(due):
            key = next(self._round, None)
            if key is None:
                self._round = iter(list(self.tracks))
                key = next(self._round)
            track = self.tracks.get(key)
            try:
                if track is not None and (track.floor.look(wall) or self._asked.get(key) != self._scaler.replicas(key)):
                    self._touched[key] = None
            except Exception as error:  # noqa: BLE001 - a border, as in `decide`
                self._faults.caught(_SCHEDULE, key, error)
            else:
                self._faults.passed(_SCHEDULE, key)

    def _take(self, look: Look, router: dict[Key, Change]) -> None:
        """Count one router's changes for the functions they belong to."""
        for key, change in router.items():
            track = self.tracks.get(key)
            if track is None:
                self._early[key] = [a + b for a, b in zip(self._early.get(key, NOTHING), change, strict=True)]
                continue
            try:
                self._count(key, track, look.since, look.until, change)
            except Exception as error:  # noqa: BLE001 - a border, as in `decide`
                self._faults.caught(_DEMAND, key, error)
            else:
                self._faults.passed(_DEMAND, key)

    def _count(self, key: Key, track: Track, since: float, now: float, change: Change) -> None:
        replicas = self._asked.get(key)
        track.count(since, now, change, ready=replicas.ready if replicas else 0)
        self._touched[key] = None

    def _know(self, now: float) -> None:
        """Follow Functions that came, changed or went."""
        changed = self._scaler.changed()
        if changed is None:
            changed = self._all()
        for key, function in changed.items():
            try:
                if function is None:
                    self._forget(key)
                else:
                    self._meet(key, function, now)
            except Exception as error:  # noqa: BLE001 - a border, as in `decide`
                self._faults.caught(_POLICY, key, error)
            else:
                self._faults.passed(_POLICY, key)

    def _all(self) -> Mapping[Key, Function | None]:
        """Every function that differs from what was last decided on; for scalers that do not report changes."""
        known: dict[Key, Function | None] = {function.key: function for function in self._scaler.functions()}
        gone: dict[Key, Function | None] = dict.fromkeys(self.tracks.keys() - known)
        return gone | {key: function for key, function in known.items() if self._differs(key, function)}

    def _differs(self, key: Key, function: Function | None) -> bool:
        track = self.tracks.get(key)
        return track is None or track.function is not function or self._asked.get(key) != self._scaler.replicas(key)

    def _meet(self, key: Key, function: Function, now: float) -> None:
        self._touched[key] = None
        track = self.tracks.get(key)
        if track is None:
            track = self.tracks[key] = Track(function, now)
            if early := self._early.pop(key, None):
                self._count(key, track, now - self._settings.period, now, early)
        elif track.function is not function:
            track.changed(function)

    def _forget(self, key: Key) -> None:
        track = self.tracks.pop(key, None)
        if track is not None:
            self._early[key] = track.left()
            self._asked.pop(key, None)

    async def _write(self, key: Key, decision: Decision, replicas: Replicas) -> None:
        try:
            async with self._slots:
                await self._scaler.scale(key, decision, replicas)
        except NotScaled as refused:
            log.warning("%s not scaled to %d: %s", key, decision.replicas, refused)
            self._touch(key)
        except Exception as error:  # noqa: BLE001 - a border: a write that fails by a defect ends no other's
            self._faults.caught(_WRITE, key, error)
        else:
            self._faults.passed(_WRITE, key)
        finally:
            self._writing.discard(key)
            if key in self._passed:
                self._passed.discard(key)
                self._touch(key)
