"""Instances under a load, decided for second by second as in production.

The model: instances of `concurrency` slots each, filled first come, first served, without imbalance; a new instance is
ready `cold_start` after it is asked for; one that is taken away finishes what it has and costs until then. The router
starts a function from zero by itself and pokes the autoscaler when requests have to wait. Demand reaches the decision
as in production, through a `Track` fed with counters each tick.

What it leaves out: time to see the metrics, imbalance between instances, scheduling, timeouts.
"""

import heapq
import math
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

from msgspec import Struct

from wick_api.function import Function
from wick_autoscaler.decisions.decision import decide
from wick_autoscaler.decisions.function_state import Track
from wick_autoscaler.decisions.scaler import Replicas
from wick_autoscaler.simulate.trace import Trace, TracedRequest

_ARRIVAL, _DONE, _READY, _LOOK = range(4)
_POKE_PAUSE = 0.1
"""Least seconds between two pokes for one function."""
_MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)


class SimulatedPolicy(Struct, frozen=True):
    """A Function's way of scaling, as one platform carries it out."""

    name: str
    function: Function
    period: float = 1.0
    """Seconds between decisions."""
    pokes: bool = True
    """Whether requests that wait are told of at once, and counted as load while no instance is ready."""


class World(Struct, frozen=True):
    """What is the same for all policies."""

    cold_start: float = 1.0
    """Seconds from the wish for an instance to the first request in it."""
    instances: int = 0
    """At the beginning."""


class SimulatedSample(Struct, frozen=True):
    """The state at one decision."""

    at: float
    replicas: int
    ready: int
    in_flight: int
    waiting: int


class SimulatedRun(Struct, frozen=True):
    """What came of it."""

    policy: str
    trace: str
    latencies: list[float]
    """Seconds from arrival to answer, in order of answers."""
    samples: list[SimulatedSample]
    instance_seconds: float
    starts: int
    """Instances started."""
    changes: int
    """Times the number of instances was changed."""


def simulate(policy: SimulatedPolicy, trace: Trace, world: World) -> SimulatedRun:
    """Replay a trace until its end and the last answer."""
    return _Simulation(policy, trace, world).run()


class _Simulation:
    def __init__(self, policy: SimulatedPolicy, trace: Trace, world: World) -> None:
        self.policy, self.trace, self.world = policy, trace, world
        self.slots = policy.function.spec.concurrency
        self.track = Track(policy.function, -86_400.0)  # in service long enough to have settled
        self.replicas = self.ready = world.instances
        self.starting: list[float] = []
        """When each instance that is not ready will be, earliest first."""
        self.in_flight = 0
        self.waiting: deque[TracedRequest] = deque()
        self.latencies: list[float] = []
        self.samples: list[SimulatedSample] = []
        self.starts = self.changes = 0
        self.cost = self.seconds = 0.0
        self.arrived = 0
        self.last = self.looked = self.poked = 0.0
        self.told = (0.0, 0, 0, 0)
        self.order = count()
        self.events: list[tuple[float, int, int, TracedRequest | None]] = []

    def run(self) -> SimulatedRun:
        requests = iter(self.trace.requests)
        self._at(0.0, _LOOK)
        self._next(requests)
        while self.events:
            now, kind, _, request = heapq.heappop(self.events)
            self._pass(now)
            if kind == _ARRIVAL and request is not None:
                self._arrive(now, request)
                self._next(requests)
            elif kind == _DONE and request is not None:
                self.in_flight -= 1
                self.latencies.append(now - request.at)
                self._fill(now)
            elif kind == _READY:
                self._become_ready(now)
            elif kind == _LOOK:
                self._look(now)
                if now < self.trace.length or self.in_flight or self.waiting:
                    self._at(now + self.policy.period, _LOOK)
        return SimulatedRun(
            policy=self.policy.name,
            trace=self.trace.name,
            latencies=self.latencies,
            samples=self.samples,
            instance_seconds=self.cost,
            starts=self.starts,
            changes=self.changes,
        )

    def _at(self, when: float, kind: int, request: TracedRequest | None = None) -> None:
        heapq.heappush(self.events, (when, kind, next(self.order), request))

    def _next(self, requests: Iterator[TracedRequest]) -> None:
        request = next(requests, None)
        if request is not None:
            self._at(request.at, _ARRIVAL, request)

    def _pass(self, now: float) -> None:
        """Let time go by: demand and cost add up."""
        length = now - self.last
        self.seconds += (self.in_flight + len(self.waiting)) * length
        self.cost += max(self.replicas, math.ceil(self.in_flight / self.slots)) * length
        self.last = now

    def _arrive(self, now: float, request: TracedRequest) -> None:
        self.arrived += 1
        self.waiting.append(request)
        self._fill(now)
        if not self.waiting:
            return
        if self.replicas == 0:
            self._scale(now, 1)
        if self.policy.pokes and now - self.poked >= _POKE_PAUSE:
            self.poked = now
            self._look(now)

    def _fill(self, now: float) -> None:
        while self.waiting and self.in_flight < self.ready * self.slots:
            request = self.waiting.popleft()
            self.in_flight += 1
            self._at(now + request.service, _DONE, request)

    def _become_ready(self, now: float) -> None:
        if self.starting and self.starting[0] <= now:
            self.starting.pop(0)
            self.ready += 1
            self._fill(now)

    def _look(self, now: float) -> None:
        """What the loop does with what the router counted."""
        if now > self.looked or now == 0:
            gauges = (self.in_flight, len(self.waiting)) if self.policy.pokes else (0, 0)
            told = (self.seconds, self.arrived, *gauges)
            change = [new - old for new, old in zip(told, self.told, strict=True)]
            if any(change):
                self.track.count(self.looked, now, change, ready=self.ready)
            self.told, self.looked = told, now
        wall = _MIDNIGHT + timedelta(seconds=now)
        self.track.floor.look(wall)
        seen = self.track.seen(now, Replicas(self.replicas, self.ready), complete=True)
        decision = decide(self.track.policy.scale, seen)
        self.track.remember(now, wall, seen, decision)
        self.samples.append(SimulatedSample(now, self.replicas, self.ready, self.in_flight, len(self.waiting)))
        self._scale(now, decision.replicas)

    def _scale(self, now: float, wanted: int) -> None:
        if wanted == self.replicas:
            return
        self.changes += 1
        for _ in range(wanted - self.replicas):
            self.starts += 1
            self.starting.append(now + self.world.cold_start)
            self._at(now + self.world.cold_start, _READY)
        for _ in range(self.replicas - wanted):
            if self.starting:
                self.starting.pop()
            else:
                self.ready -= 1
        self.replicas = wanted
