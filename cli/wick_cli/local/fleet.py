"""The instances of one function: carries out `plan` with real processes, and tells the router.

Each instance is one task from birth to end (`_live`), so whoever ends the task ends the process. Everything happens in
the data plane's event loop; `step` is called after every change and is safe to repeat.
"""

import asyncio
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from wick_api.function import Function
from wick_api.names import Key
from wick_api.reason import Reason
from wick_cli.local.decisions.plan import Member, ProcessState, plan
from wick_cli.local.decisions.readiness import FleetFailure
from wick_cli.local.lines import StartOutput
from wick_cli.local.pool import Pool
from wick_cli.local.runtime import GRACE_SECONDS, HOST, LoadFailed, Runtime, Unstartable
from wick_router.backend import Instance, Sink

RETRY_SECONDS, MOST_SECONDS = 5.0, 60.0
"""After a failed start, doubling; then the next request tries again. An edit tries at once."""
CRASH_SECONDS = 1.0
"""An instance that ends by itself sooner than this is not replaced at once."""

ROUTER_URL = "KUBEWICK_ROUTER_URL"
"""Variable that tells a function where the others are; in a cluster they have DNS names instead."""

Phases = tuple[tuple[str, float], ...]
"""Steps of a start in order, in ms."""


@dataclass
class _Unit:
    """One instance and the task that is its life."""

    id: str
    revision: str
    state: ProcessState = ProcessState.STARTING
    runtime: Runtime | None = None
    phases: Phases = ()
    task: asyncio.Task[None] | None = None

    def member(self) -> Member:
        return Member(self.id, self.revision, self.state)


class Fleet:
    """All instances of one function, and how many there should be."""

    def __init__(self, pool: Pool, sink: Sink, line: Callable[[Key, str], None]) -> None:
        self._pool, self._sink, self._line = pool, sink, line
        self._units: list[_Unit] = []
        self._numbers = itertools.count(1)
        self._retry: asyncio.TimerHandle | None = None
        self._patience = RETRY_SECONDS
        self._closed = False
        self._body: Mapping[str, Any] = {}
        self.function: Function
        self.want = 0
        self.activated = float("-inf")
        self.failure: FleetFailure | None = None
        """Why nothing more of the present text is started; a later try takes it away."""
        self.remembered: FleetFailure | None = None
        """The last one of the present text, until it serves."""
        self._told: tuple[str, ...] = ()
        """What the last start of the present text printed, where it failed."""

    @property
    def revision(self) -> str:
        return str(self._body.get("revision", ""))

    @property
    def ready(self) -> int:
        """Instances that serve, of any revision."""
        return sum(unit.state is ProcessState.READY for unit in self._units)

    @property
    def current(self) -> int:
        """Instances that serve the function as it is written now."""
        return sum(unit.state is ProcessState.READY and unit.revision == self.revision for unit in self._units)

    def become(self, function: Function, body: Mapping[str, Any] | FleetFailure) -> None:
        """Take over a new text of the function: `body` for `specialize`, or why it cannot run here."""
        self.function = function
        self.want = min(max(self.want, function.spec.scale.min), function.spec.scale.max)
        self._forget_failure()
        self.remembered, self._told = None, ()
        self._patience = RETRY_SECONDS
        if isinstance(body, FleetFailure):
            self._body = {}
            self._fail(body, retry=False)
        else:
            self._body = body
        self.step()

    def scale(self, want: int) -> None:
        self.want = want
        self.step()

    def activate(self) -> None:
        """At least one instance, please."""
        self.activated = asyncio.get_running_loop().time()
        if self.failure:
            self._sink.failed(self.function.key, self.failure.reason, self.failure.message)
        else:
            self.scale(max(self.want, 1))

    def step(self) -> None:
        """Do what `plan` says and tell the router who is there."""
        if self._closed:
            return
        members = [unit.member() for unit in self._units]
        to_do = plan(self.want, self.revision, members, blocked=self.failure is not None)
        for unit in [unit for unit in self._units if unit.id in to_do.retire]:
            self._retire(unit)
        self._report()
        for _ in range(to_do.start):
            unit = _Unit(str(next(self._numbers)), self.revision)
            self._units.append(unit)
            body = {**self._body, "env": {**self._body["env"], ROUTER_URL: self._pool.nest.router}}
            unit.task = asyncio.create_task(self._live(unit, body), name=f"instance of {self.function.key}")

    async def close(self, seconds: float) -> None:
        """Retire everything and wait at most `seconds` for it, then kill."""
        self._closed = True
        if self._retry:
            self._retry.cancel()
        for unit in self._units:
            if unit.state is not ProcessState.RETIRING:
                self._retire(unit)
        tasks = [unit.task for unit in self._units if unit.task]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def settled(self) -> None:
        """Wait until everything that is retiring has ended."""
        tasks = [unit.task for unit in self._units if unit.task and unit.state is ProcessState.RETIRING]
        await asyncio.gather(*tasks, return_exceptions=True)

    def instances(self) -> list[Instance]:
        """The router's view."""
        return [
            Instance(
                id=_id(unit, unit.runtime),
                host=HOST,
                port=unit.runtime.port,
                revision=unit.revision,
                ready=unit.state is ProcessState.READY,
                terminating=unit.state is ProcessState.RETIRING,
                origin="process",
                phases=unit.phases,
            )
            for unit in self._units
            if unit.runtime is not None and unit.state is not ProcessState.STARTING
        ]

    def forking(self) -> dict[str, str]:
        """How each instance's handler processes come to be, where it has any."""
        return {_id(unit, unit.runtime): unit.runtime.forking for unit in self._units if unit.runtime is not None}

    def control_ports(self) -> list[int]:
        return [unit.runtime.control_port for unit in self._units if unit.runtime and unit.state is ProcessState.READY]

    async def _live(self, unit: _Unit, body: Mapping[str, Any]) -> None:
        """Start, serve, end: one instance's whole life."""
        try:
            await self._come_up(unit, body)
            if unit.runtime is not None:
                await self._serve(unit, unit.runtime)
        finally:
            if unit.runtime is not None:
                unit.runtime.kill()
            self._units.remove(unit)
        self.step()

    async def _come_up(self, unit: _Unit, body: Mapping[str, Any]) -> None:
        """Leave `unit.runtime` set and ready, or the failure noted."""
        runtime = None
        output = StartOutput(lambda line: self._line(self.function.key, line), self._told)
        clock = asyncio.get_running_loop().time
        try:
            began = clock()
            runtime = await self._pool.take()
            took = (clock() - began) * 1000
            runtime.line = output.add
            phases = await runtime.specialize(body)
            whole = (clock() - began) * 1000
        except (LoadFailed, Unstartable) as error:
            if runtime:
                await runtime.end()
            output.failed()
            if unit.revision == self.revision:
                self._told = output.lines
                reason = error.reason if isinstance(error, LoadFailed) else Reason.CLUSTER_ERROR
                self._fail(FleetFailure(reason, str(error)))
            return
        except BaseException:
            if runtime:
                runtime.kill()
            raise
        output.started()
        if unit.revision == self.revision:
            self.remembered, self._told = None, ()
        unit.runtime, unit.phases, unit.state = runtime, _steps(whole, took, phases), ProcessState.READY
        self.step()

    async def _serve(self, unit: _Unit, runtime: Runtime) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        code = await runtime.process.wait()
        if unit.state is not ProcessState.RETIRING:
            self._line(self.function.key, f"the instance ended by itself, with {code}")
            if clock() - began < CRASH_SECONDS and unit.revision == self.revision:
                self._fail(FleetFailure(Reason.CRASH_LOOP, f"the instance ended by itself at once, with {code}"))

    def _retire(self, unit: _Unit) -> None:
        """Let a serving one finish what it has; one that is only starting is given up."""
        if unit.state is ProcessState.STARTING or unit.runtime is None:
            unit.state = ProcessState.RETIRING
            if unit.task:
                unit.task.cancel()
        else:
            unit.state = ProcessState.RETIRING
            unit.runtime.stop()
            asyncio.get_running_loop().call_later(GRACE_SECONDS + 1, unit.runtime.kill)

    def _report(self) -> None:
        self._sink.instances(self.function.key, self.instances())

    def _fail(self, failure: FleetFailure, *, retry: bool = True) -> None:
        self.failure = self.remembered = failure
        if not self.ready:
            self.want = self.function.spec.scale.min
            self._sink.failed(self.function.key, failure.reason, failure.message)
        if retry and self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(self._patience, self._try_again)
            self._patience = min(2 * self._patience, MOST_SECONDS)

    def _forget_failure(self) -> None:
        self.failure = None
        if self._retry:
            self._retry.cancel()
            self._retry = None

    def _try_again(self) -> None:
        """Let the next request, or the wish for more instances, start one."""
        self._forget_failure()
        self._sink.recovered(self.function.key)
        self.step()


def _id(unit: _Unit, runtime: Runtime) -> str:
    return f"{unit.id}-{runtime.pid}"


def _steps(whole: float, taken: float, phases: Phases) -> Phases:
    """A start's phases, those the runtime told among them; `whole` and `taken` (until one was free) in ms."""
    transfer = max(0.0, whole - taken - sum(took for _, took in phases))
    return ("claim", taken), ("transfer", transfer), *phases
