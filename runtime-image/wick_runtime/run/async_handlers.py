"""Runs asynchronous handlers in the worker's event loop, one task a request.

A task that the handler finishes without waiting for anything never sees the loop: from Python 3.12 on it is started
eagerly, in the same call that read the request. At its deadline the client gets 504 and the task is cancelled; one
that swallows the cancellation is cancelled again each second and keeps its place in the concurrency limit. After
`SWALLOWED` of them the process takes no more requests, and is replaced as soon as none but such tasks are left in it::

    deadline: 504, cancel --(swallowed)--> cancel, each second --(SWALLOWED times)--> others finish --> replaced
"""

import asyncio
import contextvars
import math
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from functools import cached_property
from time import monotonic
from typing import Final, NamedTuple

from wick_runtime.http.exchange import Exchange
from wick_runtime.http.message.refusal import ErrorAnswer
from wick_runtime.http.server import Server
from wick_runtime.ipc.deadlines import Deadlines
from wick_runtime.run.admission import CUT, DEADLINE, DISCONNECT, ERROR, OK, REPLACED, TIMEOUT, Admission
from wick_runtime.run.context import Context, Identity, current
from wick_runtime.run.failure import answered, departed, logged
from wick_runtime.run.integrity import broken, end_process, exhausted
from wick_runtime.run.leftover import stopped, swallowed
from wick_runtime.run.lines import finish

AGAIN: Final = 1.0
"""Seconds between two cancellations of a task that will not stop."""
SWALLOWED: Final = 3
"""Cancellations that a task may swallow before its process is replaced."""
INBOX: Final = 262_144
"""Bytes of a streamed body that wait for their handler before reading stops."""

Call = Callable[["AsyncRun"], Awaitable[None]]
"""Answers a run's exchange; one for each interface."""


class AsyncApplication(NamedTuple):
    """An asynchronous function, ready for the event loop."""

    call: Call
    startup: Callable[[], Awaitable[None]] | None = None
    shutdown: Callable[[], Awaitable[None]] | None = None
    parting: float = 0.0
    """Seconds between telling a handler that its client left and cancelling it."""


class AsyncRun:
    """One request in the event loop."""

    # Defaults live in the class, as in `Exchange`.
    task: asyncio.Task[None] | None = None
    why = ""
    """Why it was cancelled, if it was."""
    gone = False
    """The client left."""
    _cancelled = 0
    """How often it was cancelled at or after its deadline."""
    _buffered = 0
    _ended = False
    _holding = False
    """The connection was asked to stop reading."""
    _news: asyncio.Future[None] | None = None
    _room: asyncio.Future[None] | None = None

    def __init__(self, app: "Inline", exchange: Exchange, context: Context) -> None:
        self._app = app
        self.exchange = exchange
        self.context = context

    @cached_property
    def _inbox(self) -> deque[bytes]:
        return deque()

    # -- the connection's side

    def body(self, chunk: bytes) -> None:
        if chunk:
            self._inbox.append(chunk)
            self._buffered += len(chunk)
            if self._buffered > INBOX and not self._holding:
                self._hold(hold=True)
        else:
            self._ended = True
        self._wake(self._news)

    def writable(self) -> None:
        self._wake(self._room)

    def cancel(self, why: str) -> None:
        self.why = self.why or why
        if why == "disconnect":
            self.gone = True
            self._wake(self._news)
            self._wake(self._room)
        if self.task is None:
            return
        if self.gone and self._app.parting:
            self.task.get_loop().call_later(self._app.parting, self.task.cancel, why)
        else:
            self.task.cancel(why)

    def endless(self) -> None:
        """No deadline any more: the request became a connection of its own."""
        self.exchange.deadline = math.inf
        self.exchange.connection.unwatched()
        self._app.forget(self)

    # -- deadlines' side

    def expire(self) -> float | None:
        if not self.exchange.ended:
            self.exchange.refuse(DEADLINE)
        elif not self.why:
            stopped(self.context)
        self.why = "deadline"
        self._cancelled += 1
        if self._cancelled > SWALLOWED:
            self._app.never_ends(self)
        if self.task is not None:
            self.task.cancel("deadline")
        return self._app.server.now() + AGAIN

    # -- the handler's side

    async def receive(self) -> bytes:
        """The next piece of the request's body; empty at its end or when the client is gone."""
        while not self._inbox and not self._ended and not self.gone and not self.exchange.ended:
            await self.news()
        if not self._inbox:
            return b""
        chunk = self._inbox.popleft()
        self._buffered -= len(chunk)
        if self._holding and self._buffered <= INBOX // 2:
            self._hold(hold=False)
        return chunk

    def _hold(self, *, hold: bool) -> None:
        self._holding = hold
        self.exchange.connection.hold_body(self.exchange, hold=hold)

    async def disconnected(self) -> None:
        """Wait until the client leaves."""
        while not self.gone and not self.exchange.ended:
            await self.news()

    async def drained(self) -> None:
        """Wait until the client keeps up."""
        while not self.exchange.writable and not self.gone:
            self._room = asyncio.get_running_loop().create_future()
            await self._room
        if self.gone:
            await asyncio.sleep(0)  # where the cancellation arrives at a stream that waits for nothing else

    def seed(self) -> None:
        """What had arrived before the handler began."""
        self._ended = self._ended or self.exchange.body_done
        if self.exchange.chunks:
            chunk = self.exchange.take_body()
            self._inbox.appendleft(chunk)  # `body` may have been called since
            self._buffered += len(chunk)

    async def news(self) -> None:
        """Wait until something happens: `wake`, more body, or the client's leaving."""
        self._news = asyncio.get_running_loop().create_future()
        await self._news

    @property
    def body_ended(self) -> bool:
        return self._ended and not self._inbox

    def wake(self) -> None:
        self._wake(self._news)

    @staticmethod
    def _wake(future: asyncio.Future[None] | None) -> None:
        if future is not None and not future.done():
            future.set_result(None)


class Inline:
    """The application of an asynchronous worker."""

    def __init__(
        self,
        call: AsyncApplication,
        admission: Admission,
        identity: Identity,
        *,
        streams: bool,
        debug: bool,
    ) -> None:
        self.server: Server
        self.hold = 0 if streams else admission.limits.max_request_bytes
        self.max_body = admission.limits.max_request_bytes
        self._call = call.call
        self.parting = call.parting
        self._admission = admission
        self._identity = identity
        self._debug = debug
        self._loop = asyncio.get_running_loop()
        self._base = contextvars.copy_context()
        """What each request starts from: a callback that reads its connection may run in a former one's context."""
        self._deadlines: Deadlines
        self._endless: set[AsyncRun] = set()
        self._never_ending: set[AsyncRun] = set()
        self.replace: Callable[[], None]
        """Ends this process in order, so that another takes its place."""

    def bind(self, server: Server) -> None:
        """Meet the server this is the application of."""
        self.server = server
        self._deadlines = Deadlines(self._loop, server.now)

    def admit(self, exchange: Exchange) -> ErrorAnswer | None:
        del exchange
        return self._admission.enter()

    def release(self, exchange: Exchange) -> None:
        del exchange
        self._admission.leave()

    def begin(self, exchange: Exchange) -> None:
        if exchange.traced:
            exchange.given = monotonic()
        run = exchange.job = AsyncRun(self, exchange, Context(exchange, self._identity))
        task = self._start(run)
        if not task.done():
            run.task = task
            if exchange.deadline != math.inf:
                self._deadlines.add(run, exchange.deadline)

    def forget(self, run: AsyncRun) -> None:
        """No deadline for this one."""
        self._deadlines.discard(run)
        self._endless.add(run)

    def never_ends(self, run: AsyncRun) -> None:
        """A task swallows its cancellations: let the others finish, which have deadlines, and be replaced."""
        if run not in self._never_ending:
            self._never_ending.add(run)
            swallowed(run.context, SWALLOWED)
            if not self._admission.draining:
                self._admission.draining, self._admission.leaving = True, REPLACED
        if self._admission.in_flight <= len(self._never_ending):
            self.replace()

    def cut(self) -> None:
        """Grace is over: stop what still runs."""
        for timed in [*self._deadlines.items(), *self._endless]:
            if isinstance(timed, AsyncRun) and timed.task is not None:
                timed.why = "drain"
                timed.task.cancel("drain")

    if sys.version_info >= (3, 12):

        def _start(self, run: AsyncRun) -> "asyncio.Task[None]":
            return asyncio.Task(self._serve(run), loop=self._loop, context=self._base.copy(), eager_start=True)
    else:

        def _start(self, run: AsyncRun) -> "asyncio.Task[None]":
            return asyncio.Task(self._serve(run), loop=self._loop, context=self._base.copy())

    async def _serve(self, run: AsyncRun) -> None:
        exchange = run.exchange
        current.set(run.context)
        outcome = OK
        try:
            await self._call(run)
            if run.gone:
                outcome = DISCONNECT
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises
            outcome = ERROR
            if run.gone and departed(error):
                outcome = DISCONNECT
            elif run.why and isinstance(error, asyncio.CancelledError):
                self._cancelled(run)
            else:
                self._raised(run, error)
        finally:
            exchange.job = None  # no cycle: freed now, not by the garbage collector
            if run.context.unfinished:
                finish(run.context)
            if run.task is not None:
                self._deadlines.discard(run)
                self._endless.discard(run)
                self._never_ending.discard(run)
            self._admission.done(exchange, TIMEOUT if run.why == "deadline" else outcome, monotonic())

    def _raised(self, run: AsyncRun, error: BaseException) -> None:
        try:
            logged(error, run.context)
            if run.exchange.started:
                run.exchange.abort()
            else:
                status, headers, body = answered(error, run.context, debug=self._debug)
                run.exchange.respond(status, headers, body)
            if exhausted():
                self.server.soon(_without_descriptors)
        except BaseException as own:  # noqa: BLE001 - what the user's code replaced is what we would need
            broken(own)

    def _cancelled(self, run: AsyncRun) -> None:
        """By us."""
        if run.exchange.started:
            run.exchange.abort()
        else:
            run.exchange.refuse(CUT)


def _without_descriptors() -> None:
    """No connection can be accepted; the control process answers what is held here, and replaces this process."""
    end_process("it has no descriptor left")
