"""Processes instead of pods: the local platform behind the router's `Backend` and the autoscaler's `Scaler`.

Holds one `Fleet` a function and follows the `Project` read from the files. Decides nothing about how many instances
there should be: the router asks for the first, the autoscaler for the rest.
"""

import asyncio
from collections.abc import Callable, Iterable

import aiohttp

from wick_api.function import Function
from wick_api.names import Key
from wick_api.reason import Reason
from wick_autoscaler.decisions.decision import Decision
from wick_autoscaler.decisions.scaler import NotScaled, Replicas
from wick_cli.local.decisions.environment import Unrunnable
from wick_cli.local.decisions.readiness import FleetFailure
from wick_cli.local.fleet import Fleet
from wick_cli.local.pool import Nest, Pool
from wick_cli.local.runtime import HOST
from wick_cli.local.specialization import specialization
from wick_cli.project import Project
from wick_router.backend import Sink

ACTIVATION_SECONDS = 1.0
"""A decision to go to zero that crosses a fresh activation is not carried out: it was made before it."""
STOP_SECONDS = 5.0
"""For instances to finish, when the platform stops."""


class LocalBackend:
    """The platform of ``wick up``."""

    def __init__(
        self, project: Project, pool_size: int, nest: Callable[[], Nest], line: Callable[[Key, str], None]
    ) -> None:
        """`nest` is asked when the router's port is known."""
        self.fleets: dict[Key, Fleet] = {}
        self._project, self._line = project, line
        self._pool_size, self._nest = pool_size, nest
        self._make: Callable[[], Fleet] | None = None
        self._sink: Sink | None = None
        self._scaled: set[Key] = set()
        self._resting: set[Key] = set()
        """Functions that were told to be at zero until their next request, whatever the autoscaler has seen before."""
        self._ending: set[asyncio.Task[None]] = set()
        self.warm = asyncio.Event()
        """A runtime waits for the first request."""
        self.ended = asyncio.Event()
        self.failure: Exception | None = None
        """Why `run` ended by itself."""

    async def run(self, sink: Sink) -> None:
        """Serve the project until cancelled; then stop every process."""
        try:
            await self._run(sink)
        except Exception as error:
            self.failure = error
            raise
        finally:
            self.ended.set()
            self.warm.set()

    async def _run(self, sink: Sink) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, connect=1.0)) as session:
            pool = Pool(self._pool_size, self._nest(), session)
            async with pool.running():
                self._make = lambda: Fleet(pool, sink, self._line)
                self._sink = sink
                self.follow(self._project)
                sink.synced(in_touch=True)
                try:
                    await pool.tried.wait()
                    self.warm.set()
                    await asyncio.Event().wait()
                finally:
                    await self._stop(self.fleets.values())
                    await asyncio.gather(*self._ending)

    def activate(self, key: Key) -> None:
        """Ask for a first instance (`Backend`)."""
        self._resting.discard(key)
        if fleet := self.fleets.get(key):
            fleet.activate()

    def follow(self, project: Project) -> None:
        """Serve what the files say now: new Functions, changed ones, and no longer those that are gone."""
        self._project = project
        if self._make is None or self._sink is None:
            return
        self._resting &= project.functions.keys()
        for key in self.fleets.keys() - project.functions.keys():
            self._sink.function_gone(key)
            fleet = self.fleets.pop(key)
            ending = asyncio.create_task(self._stop([fleet]), name=f"end of {key}")
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
        for key, authored in project.functions.items():
            fleet = self.fleets.get(key) or self._make()
            body = _body(authored.function, project)
            unchanged = key in self.fleets and fleet.function == authored.function
            if unchanged and not isinstance(body, FleetFailure) and body["revision"] == fleet.revision:
                continue
            self.fleets[key] = fleet
            self._sink.function(authored.function)
            fleet.become(authored.function, body)

    def functions(self) -> Iterable[Function]:
        """All of them (`Scaler`)."""
        return [fleet.function for fleet in self.fleets.values()]

    def changed(self) -> None:
        """Unknown, so all are looked at: they are few (`Scaler`)."""

    def replicas(self, key: Key) -> Replicas | None:
        """What was asked for and what is there (`Scaler`)."""
        fleet = self.fleets.get(key)
        return Replicas(wanted=fleet.want, ready=fleet.ready, fresh=key not in self._scaled) if fleet else None

    def instances(self, key: Key) -> Iterable[str]:
        """Metrics of the ready instances (`Scaler`)."""
        fleet = self.fleets.get(key)
        return [f"http://{HOST}:{port}/metrics" for port in fleet.control_ports()] if fleet else []

    async def scale(self, key: Key, decision: Decision, _replicas: Replicas) -> None:
        """Carry a decision out (`Scaler`)."""
        fleet = self.fleets.get(key)
        if fleet is None:
            return
        if decision.replicas == 0 and asyncio.get_running_loop().time() - fleet.activated < ACTIVATION_SECONDS:
            raise NotScaled("a request has just started it")
        if decision.replicas and key in self._resting:
            return  # decided on what there was before
        self._scaled.add(key)
        fleet.scale(decision.replicas)

    async def rest(self, key: Key) -> None:
        """Bring one function to zero until its next request; returns when nothing of it runs."""
        fleet = self.fleets[key]
        self._resting.add(key)
        fleet.scale(0)
        await fleet.settled()

    async def _stop(self, fleets: Iterable[Fleet]) -> None:
        await asyncio.gather(*(fleet.close(STOP_SECONDS) for fleet in fleets))


def _body(function: Function, project: Project) -> dict[str, object] | FleetFailure:
    try:
        return specialization(function, project)
    except Unrunnable as error:
        return FleetFailure(Reason(error.reason), error.message)
