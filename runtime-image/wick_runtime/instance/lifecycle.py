"""The state of an instance, and every decision about its processes. Never runs user code.

::

            +------ specialize -----+
    POOL ---+                       v
                         start -> LOADING --loaded--> READY --worker died--> LOADING
                                    |                   |
                                    +--failed--> FAILED |
                                                   |    |
                              SIGTERM: any state --+----+--> DRAINING --> over

In the pool a process is forked ahead and waits for the order, so that no caller waits for a fork; one that died
meanwhile is replaced by a fork when the order comes.

For a synchronous function, and for one that cannot be loaded, this process serves the data port itself; for an
asynchronous one the worker does, and a duplicate of each of its connections rests in a `ConnectionBackup` here.
"""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Coroutine, Mapping
from typing import Any, Final

from wick_runtime.config import RuntimeConfig, RuntimeSettingInvalid
from wick_runtime.http.message.parser import choose
from wick_runtime.http.message.refusal import ErrorAnswer
from wick_runtime.http.server import Server, ServerSettings
from wick_runtime.instance.children import STUCK, Family, WorkerProcess
from wick_runtime.instance.connection_backup import ConnectionBackup
from wick_runtime.instance.control_port import Reply, same
from wick_runtime.instance.decisions.state import InstanceState, forking, readiness, refusal, taken
from wick_runtime.instance.error_app import StandIn
from wick_runtime.instance.metric import InstanceFacts, render
from wick_runtime.instance.order import Order, parse, repeats
from wick_runtime.ipc.channel import Channel, Closed, pair
from wick_runtime.ipc.exit_status import died
from wick_runtime.run import load_position
from wick_runtime.run.admission import CUT, Admission
from wick_runtime.run.finalization import FINALIZATION
from wick_runtime.run.handler_pool import HandlerPool
from wick_runtime.run.handler_process_client import HandlerProcessClient
from wick_runtime.source import REMEDY, unpack
from wick_runtime.worker.code import Shared

CALM: Final = 1.0
"""Seconds after which a worker's death does not count as one of a row."""
AT_ONCE: Final = 3
"""Deaths in a row that are answered by a fork at once; then a pause doubles from 0.1 s to `MAX_PAUSE`."""
MAX_PAUSE: Final = 10.0
WATCH: Final = 0.25
"""Seconds between looks at requests past their deadline in a worker that should have ended them."""
LINGER: Final = 1.0
"""Seconds a connection answered for a dead worker stays open, so that its last words arrive."""


class RuntimeInstance:
    """See the module."""

    def __init__(self, config: RuntimeConfig, channel: Channel, shared: Shared) -> None:
        self._loop = asyncio.get_running_loop()
        self.over: asyncio.Future[int] = self._loop.create_future()
        self._config = config
        self._target = config.target
        self._limits = config.limits
        self._env: dict[str, str] | None = None
        self._supervisor = channel
        self._shared = shared
        self._state = InstanceState.POOL if config.pool else InstanceState.LOADING
        self._failure: dict[str, Any] = {}
        self._child: WorkerProcess | None = None
        self._spare: WorkerProcess | None = None
        """Forked ahead, in the pool: waits for its order."""
        self._phases: dict[str, float] = {}
        self._forking = ""
        """How handler processes come to be, and why so; empty without any."""
        self._processes: HandlerPool | None = None
        self._server: Server | None = None
        self._admission: Admission | None = None
        self._family = Family(self._died)
        self._late = False
        """Requests outlived the grace period."""
        self._deaths = 0
        self._quiet: list[int] = []
        self._outcome: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def begin(self) -> None:
        """Load what the environment names; in the pool, have a process ready for what will be named.

        Where an order is there already, whatever would be made ready would only be in its way.
        """
        if self._state is InstanceState.POOL:
            if self._config.woken is None:
                self._spare = self._fork_child({"role": "spare"})
                self._rehearse()
        elif self._unpacked(self._config.files):
            self._load()

    def _rehearse(self) -> None:
        """Do once what an order begins with: first calls copy pages of the supervisor's and load OpenSSL's digests."""
        self.authorized("")
        parse(b'{"files": {"main.py": ""}, "env": {"NAME": ""}}', self._config)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task that belongs to this instance."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- the control port's side

    def readiness(self) -> Reply:
        child = self._child
        blocked = child is not None and bool(child.blocked_since)
        return readiness(self._state, self._failure, self._port(), self._forking, blocked=blocked)

    async def liveness(self) -> Reply:
        """Ask the worker's loop, if it has one, whether it turns."""
        child = self._child
        if child is None or child.kind != "inline":
            return 200, {"state": self._state}
        number = self._family.number()
        child.ping(number, self._loop.time())
        end = self._loop.time() + STUCK
        while number in child.pings and self._child is child and self._loop.time() < end:  # noqa: ASYNC110 - rare
            await asyncio.sleep(0.005)
        if number in child.pings and self._child is child:
            return 500, {"state": self._state, "message": "the worker's event loop is blocked"}
        return 200, {"state": self._state}

    def metrics(self) -> str:
        pids = [os.getpid(), os.getppid(), *self._family.pids]
        target = self._target
        facts = InstanceFacts(target.namespace, target.function, target.revision, self._phases, tuple(pids))
        return render(self._shared.table, facts)

    def authorized(self, token: str) -> bool:
        from hashlib import sha256  # noqa: PLC0415 - costs a millisecond, and only the pool's instances ask

        known = self._config.token_sha256
        return same(sha256(token.encode()).hexdigest(), known) or (not known and not self._config.pool)

    def pooled(self) -> bool:
        """Whether it is, or was, one of the pool's: others never take an order."""
        return self._config.pool

    async def specialize(self, body: bytes, before: Mapping[str, float]) -> Reply:
        """Load a function into an instance of the pool; once. `before` are the phases that led here.

        The order is idempotent: another one for the same revision waits for the first one's outcome and is answered
        with it, so that two routers which start one function share this instance.
        """
        if self._state is not InstanceState.POOL:
            return await self._repeated(body)
        try:
            order = parse(body, self._config)
        except RuntimeSettingInvalid as problem:
            return 422, {"state": self._state, "reason": "InvalidOrder", "message": str(problem), "file": "", "line": 0}
        self._state, self._phases = InstanceState.LOADING, dict(before)
        self._outcome = self._loop.create_future()
        self._specialized(order)
        return await self._concluded(self._outcome)

    async def _repeated(self, body: bytes) -> Reply:
        """An order that is not the first."""
        try:
            same_revision = repeats(parse(body, self._config).target, self._target)
        except RuntimeSettingInvalid:
            same_revision = False
        if self._outcome is None or not same_revision:
            return taken(self._state)
        return await self._concluded(self._outcome)

    async def _concluded(self, outcome: asyncio.Future[None]) -> Reply:
        await asyncio.shield(outcome)
        if self._state is InstanceState.DRAINING:
            return taken(self._state)
        if self._failure:
            return 422, {"state": InstanceState.FAILED, **self._failure}
        return 200, {"state": self._state, "phases": self._phases, "port": self._port(), **forking(self._forking)}

    def _specialized(self, order: Order) -> None:
        if self._unpacked(order.files):
            self._target, self._limits, self._env = order.target, order.limits, order.env
            self._load()

    def _unpacked(self, files: Mapping[str, str]) -> bool:
        """Write the function's files; where that cannot be done, it has failed to load."""
        try:
            unpack(files, self._target.code)
        except OSError as error:
            message = f"the code cannot be written: {error}; {REMEDY}"
            sys.stderr.write(f"wick_runtime: {message}\n")
            self._fail({"reason": "LoadFailed", "message": message, "file": "", "line": 0})
            return False
        return True

    # -- the supervisor's side

    def supervisor_said(self) -> None:
        try:
            messages = self._supervisor.receive(wait=False)
        except Closed:
            os._exit(1)
        for message, _ in messages:
            if message["op"] == "signal":
                self._stop(message["signal"])
            else:
                self._family.said(message)

    # -- loading

    def _load(self) -> None:
        """Have a worker import the code: the one that waits for it, or else a new one."""
        self._state = InstanceState.LOADING
        order = {"target": self._target._asdict(), "limits": self._limits._asdict(), "env": self._env}
        replacing = self._processes is not None  # the handler processes stay
        self._child = child = self._fork_child({"role": "load", **order}) if replacing else self._load_first(order)
        self._timer("load", self._limits.start_timeout, lambda: self._overslept(child))

    def _overslept(self, child: WorkerProcess) -> None:
        """Its start deadline has passed: ask where it stands, and end it."""
        child.stands = {"file": "", "line": 0, "where": ""}
        if child.pid:
            os.kill(child.pid, signal.SIGUSR2)
        self._timer("load", load_position.PATIENCE, lambda: self._condemn(child, self._too_slow(child)))

    def _too_slow(self, child: WorkerProcess) -> str:
        where = (child.stands or {})["where"]
        limit = f"loading took longer than {self._limits.start_timeout:g} s (spec.startTimeout)"
        return f"{limit}: it stands at {where}" if where else f"{limit}, in native code"

    def _load_first(self, order: dict[str, Any]) -> WorkerProcess:
        """With the code goes the order for a handler process: if it takes one, a round trip is spared."""
        number = order["first"] = self._family.number()
        ours, theirs = pair()
        with theirs:
            child = self._become(order, theirs) or self._fork_child({"role": "load", **order}, theirs)
        child.first = (number, ours)
        return child

    def _become(self, order: dict[str, Any], first: socket.socket) -> WorkerProcess | None:
        """Give the order to the process forked ahead; None where there is none (any more)."""
        spare, self._spare = self._spare, None
        if spare is None or spare.closed:
            return None
        spare.ordered = time.monotonic()
        spare.keeper = ConnectionBackup(self._shared.table, self._target.function)
        try:
            spare.channel.send(order, [first.fileno()])
        except Closed:
            return None
        return spare

    def _fork_child(self, order: dict[str, Any], *first: socket.socket) -> WorkerProcess:
        ours, theirs = pair()
        child = WorkerProcess(
            Channel(ours), ConnectionBackup(self._shared.table, self._target.function), time.monotonic()
        )
        with theirs:
            self._family.order(self._supervisor, child, order, theirs, *first)
        self._loop.add_reader(ours.fileno(), self._child_said, child)
        return child

    def _fork_process(self, worker: HandlerProcessClient, sock: socket.socket) -> None:
        """A handler process: from the template, or with an import of its own where that cannot be forked."""
        child = self._child
        if child is not None and not child.closed and child.kind == "processes" and child.forkable:
            self._family.order(child.channel, worker, {}, sock)
            return
        order = {
            "role": "process",
            "target": self._target._asdict(),
            "limits": self._limits._asdict(),
            "env": self._env,
        }
        self._family.order(self._supervisor, worker, order, sock)

    def _child_said(self, child: WorkerProcess) -> bool:
        """Whether there was anything."""
        try:
            messages = child.channel.receive(wait=False)
        except Closed:
            self._hung_up(child)
            return False
        for message, fds in messages:
            self._heard(child, message, fds)
        return bool(messages)

    def _hung_up(self, child: WorkerProcess) -> None:
        self._loop.remove_reader(child.channel.fileno())
        child.close()
        self._conclude(child)
        self._loop.call_later(LINGER, child.kill)  # user code may close every descriptor and live on

    def _heard(self, child: WorkerProcess, message: dict[str, Any], fds: list[int]) -> None:
        match message["op"]:
            case "opened":
                child.keeper.opened(message["slot"], fds[0])
                self._watch()
            case "closed":
                child.keeper.closed(message["slot"])
            case "pong":
                self._turned(child, message["id"])
            case "blocked":
                if child.blocked_since:
                    self._timer("blocked", 0.0, lambda: self._tell_blocked(message["where"]))
            case "stands":
                child.stands = message
                self._timer("load", 0.0, lambda: self._condemn(child, self._too_slow(child)))
            case "loaded":
                self._loaded(child, message)
            case "failed":
                child.failed = True
                self._loop.call_later(FINALIZATION, child.kill)
                self._fail({key: message[key] for key in ("reason", "message", "file", "line")})
            case _:
                self._family.said(message)

    def _loaded(self, child: WorkerProcess, message: dict[str, Any]) -> None:
        self._cancel("load")
        phases = message["phases"]
        born = phases.pop("born")
        self._phases = {**self._phases, "fork": max(born - child.ordered, 0.0) * 1000, **phases}
        child.kind = message["kind"]
        child.forkable, self._forking = message.get("forkable", False), message.get("forking", "")
        if message.get("noted"):
            sys.stderr.write(f"wick_runtime: {self._forking}\n")
        child.locates = message.get("locates", False)
        child.loaded_at = time.monotonic()
        if child.kind == "inline":
            child.drop_first()
            self._adopt(child)
            self._ready()
        else:
            self._front(child)

    def _adopt(self, child: WorkerProcess) -> None:
        """Quiet connections of the worker before go to this one."""
        quiet, self._quiet = self._quiet, []
        for fd in quiet:
            child.channel.send({"op": "adopt"}, [fd])
            os.close(fd)

    def _front(self, child: WorkerProcess) -> None:
        """Be the front of handler processes, which need no new one when their template is replaced."""
        if self._processes is not None:
            child.drop_first()
            if self._child is child:
                self._ready()
            return
        admission = self._admission = Admission(self._limits, self._shared.table)
        processes = self._processes = HandlerPool(self._fork_process, admission)
        server = self._server = self._data_server(processes)
        processes.bind(server)
        first = None
        if child.first is not None:
            number, sock = child.first
            first, child.first = (processes.ordered(), sock), None
            if child.kind == "process":
                child.becomes(first[0])
            else:
                self._family.expect(number, first[0])
        self.spawn(self._serve_processes(child, processes, server, first))

    async def _serve_processes(
        self,
        child: WorkerProcess,
        processes: HandlerPool,
        server: Server,
        first: tuple[HandlerProcessClient, socket.socket] | None,
    ) -> None:
        await processes.warm(first)
        await server.listen(self._shared.listener)
        if self._child is child:
            self._ready()

    def _data_server(self, app: HandlerPool | StandIn) -> Server:
        settings = ServerSettings(self._target.function, self._limits.timeout, self._config.patience)
        return Server(app, choose(self._config.parser), self._shared.table, settings)

    def _ready(self) -> None:
        if self._state is not InstanceState.DRAINING:
            self._state = InstanceState.READY
            self._failure = {}
        self._settle()

    def _fail(self, failure: dict[str, Any]) -> None:
        self._cancel("load")
        self._failure = failure
        if self._state is not InstanceState.DRAINING:
            self._state = InstanceState.FAILED
        self.spawn(self._stand_in())

    async def _stand_in(self) -> None:
        """The outcome is known, and it is bad: say so on the data port."""
        if self._server is None:
            self._server = self._data_server(StandIn(self._why))
            await self._server.listen(self._shared.listener)
            quiet, self._quiet = self._quiet, []
            for fd in quiet:
                await self._server.adopt(socket.socket(fileno=fd))
        self._settle()

    def _why(self) -> ErrorAnswer:
        return refusal(self._failure)

    def _settle(self) -> None:
        """Whoever waits for the outcome of loading may look."""
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_result(None)

    # -- death

    def _condemn(self, child: WorkerProcess, why: str, verdict: ErrorAnswer | None = None) -> None:
        """Kill a worker that does not make progress."""
        sys.stderr.write(f"wick_runtime: killing worker {child.pid}: {why}\n")
        child.verdict = verdict or ErrorAnswer(502, "instance-failed", f"the worker was replaced: {why}")
        child.kill()

    def _died(self, child: WorkerProcess, status: int) -> None:
        """Its status counts, not the end of its channel, which a process that it started may hold open."""
        child.status = status
        if child.closed:
            self._conclude(child)
            return
        while self._child_said(child):
            pass
        if not child.closed:
            self._hung_up(child)

    def _conclude(self, child: WorkerProcess) -> None:
        """The worker is dead, its last words are heard, and how it died is known."""
        if child.status is None or not child.closed:
            return
        how = died(child.status)
        reason = child.verdict or ErrorAnswer(502, "instance-failed", f"the worker {how}")
        late = ErrorAnswer(504, "deadline", f"the function did not answer within its time; {reason.message}")
        overdue = dict.fromkeys(child.keeper.overdue(time.monotonic()), late)
        quiet, answered, lost = child.keeper.bury(overdue, reason)
        self._quiet += quiet
        table = self._shared.table
        for _ in range(lost):
            table.count(3)
        for sock in answered:
            self._loop.call_later(LINGER, sock.close)
        if child.failed or child is not self._child:
            return
        self._cancel("load")
        if child.kind == "process":  # one handler process of several: the front knows, and has others made
            self._child = None
        elif self._state is InstanceState.DRAINING:
            self._finish(lost)
        elif not child.kind:
            words = self._shared.words.told()
            message = f"the process {how} while it loaded the code" + (f"; it last said: {words}" if words else "")
            if child.stands is not None:
                message = self._too_slow(child)
            place = child.stands or {"file": "", "line": 0}
            self._fail({"reason": "LoadFailed", "message": message, "file": place["file"], "line": place["line"]})
        else:
            sys.stderr.write(f"wick_runtime: {reason.message}; replacing it\n")
            self._replace(child)

    def _replace(self, child: WorkerProcess) -> None:
        calm = time.monotonic() - child.loaded_at > CALM
        self._deaths = 0 if calm else self._deaths + 1
        self._state = InstanceState.LOADING if child.kind == "inline" else self._state
        self._child = None
        if self._deaths <= AT_ONCE:
            self._load()
        else:
            self._timer("replace", min(0.1 * 2 ** (self._deaths - AT_ONCE), MAX_PAUSE), self._load)

    # -- overruns

    def _watch(self) -> None:
        if "watch" not in self._timers:
            self._timer("watch", WATCH, self._look)

    def _look(self) -> None:
        """Ask a loop that runs requests whether it turns. Where one is past its deadline too, nothing else ends it."""
        self._cancel("watch")
        child = self._child
        if child is None or child.closed or child.kind != "inline" or not len(child.keeper):
            return
        self._watch()
        now = self._loop.time()
        if not child.stuck(now):
            if not child.pings and child.keeper.busy:
                child.ping(self._family.number(), now)
        elif child.keeper.overdue(time.monotonic() - WATCH):
            self._condemn(child, "its event loop is blocked by a handler past its deadline")
        elif not child.blocked_since:
            child.blocked_since = min(child.pings.values())
            child.locate()
            self._timer("blocked", load_position.PATIENCE, lambda: self._tell_blocked(""))

    def _tell_blocked(self, where: str) -> None:
        self._cancel("blocked")
        at = f" at {where}" if where else ""
        sys.stderr.write(
            f"wick_runtime: the event loop is blocked{at}: every request here waits, new ones go elsewhere\n"
        )

    def _turned(self, child: WorkerProcess, number: int) -> None:
        blocked = child.turned(number, self._loop.time())
        if blocked:
            self._cancel("blocked")
            sys.stderr.write(f"wick_runtime: the event loop turns again after {blocked:.1f} s\n")

    # -- the end

    def _stop(self, number: int) -> None:
        """Drain. A second Ctrl-C is somebody who will not wait; a second SIGTERM is only the same order again."""
        if self._state is InstanceState.DRAINING:
            if number == signal.SIGINT:
                self._finish(1)
            return
        self._state = InstanceState.DRAINING
        self._cancel("replace")
        self._timer("grace", self._config.grace, self._out_of_grace)
        child = self._child
        if child is not None and child.kind == "inline" and not child.closed:
            child.channel.send({"op": "drain"})
        elif self._server is not None:
            self.spawn(self._drain(self._server))
        elif child is None or child.failed:
            self._finish(0)
        elif not child.closed:
            self._condemn(child, "shutting down while loading")
        # else it has died, and ends this when what it held is answered: see `_conclude`

    async def _drain(self, server: Server) -> None:
        if self._admission is not None:
            self._admission.draining = True
        processes = self._processes
        if processes is not None:
            processes.retire()
        await server.drain(lambda: 0 if self._admission is None else self._admission.in_flight)
        if processes is not None:
            await processes.ended()
        child = self._child
        if child is None or child.closed or child.failed or child.kind == "process":
            self._finish(0)
        else:
            child.channel.send({"op": "stop"})

    def _out_of_grace(self) -> None:
        """Time is up: what still runs is cancelled, and has a moment to end decently, as all processes have."""
        self._late = True
        sys.stderr.write(f"wick_runtime: requests still in flight after {self._config.grace:g} s of grace\n")
        if self._child is not None and self._child.kind == "inline" and not self._child.closed:
            self._child.channel.send({"op": "cut"})
        if self._processes is not None:
            self._processes.cut()
        self._timer("grace", FINALIZATION, self._cut_off)

    def _cut_off(self) -> None:
        """A worker that has not ended by itself is killed, and what it held is answered once it is dead."""
        child = self._child
        if child is None or child.kind != "inline" or child.status is not None:
            self._finish(1)
            return
        self._condemn(child, "its grace is over", CUT)
        self._timer("grace", LINGER, lambda: self._finish(1))

    def _finish(self, code: int) -> None:
        if not self.over.done():
            self._family.kill()
            self.over.set_result(1 if code or self._late else 0)

    # -- small things

    def _port(self) -> int:
        return int(self._shared.listener.getsockname()[1])

    def _timer(self, name: str, seconds: float, call: Any) -> None:
        self._cancel(name)
        self._timers[name] = self._loop.call_later(seconds, call)

    def _cancel(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
