"""Runs synchronous handlers: the set of their processes, seen from the front.

The front owns the data port and never runs user code, so it answers 429, 502 and 504 whatever the handlers do.
Processes are forked on demand, up to the concurrency limit, and the last one used is used first, so that the others
fall idle and can go. `handler_process_client` has the life of one.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from wick_runtime.http.exchange import Exchange
from wick_runtime.http.message.refusal import ErrorAnswer
from wick_runtime.http.server import Server
from wick_runtime.ipc.channel import pair
from wick_runtime.ipc.deadlines import Deadlines
from wick_runtime.run.admission import DISCONNECT, Admission
from wick_runtime.run.handler_process_client import HandlerProcessClient

HOLD: Final = 65536
"""Bytes of a body gathered before a process is given the request, so that a slow client does not occupy one."""
REST: Final = 60.0
"""Seconds after which a process that had nothing to do goes; one always stays."""

Spawn = Callable[[HandlerProcessClient, socket.socket], None]
"""Asks a forker for a process behind the socket; `HandlerProcessClient.forked` and `.exited` tell how it went."""


class HandlerPool:
    """The application of a function with a synchronous handler."""

    def __init__(self, spawn: Spawn, admission: Admission) -> None:
        self.server: Server
        self.deadlines: Deadlines
        self.hold = HOLD
        self.max_body = admission.limits.max_request_bytes
        self._spawn = spawn
        self._admission = admission
        self._loop = asyncio.get_running_loop()
        self._idle: list[HandlerProcessClient] = []
        self._all: set[HandlerProcessClient] = set()
        self._starting: set[asyncio.Task[None]] = set()
        self._ended: asyncio.Future[None] | None = None
        self.closing = False
        """The instance ends, and bounds by its grace period what its processes may still do."""
        self._reaper: asyncio.TimerHandle | None = None

    def bind(self, server: Server) -> None:
        """Meet the server this is the application of."""
        self.server = server
        self.deadlines = Deadlines(self._loop, server.now)

    def ordered(self) -> HandlerProcessClient:
        """A process that somebody orders for us."""
        process = HandlerProcessClient(self)
        self._all.add(process)
        return process

    async def warm(self, first: tuple[HandlerProcessClient, socket.socket] | None) -> None:
        """Have a process ready before the first request: `first`, with our end of its socket, or one made now."""
        if first is not None:
            process, sock = first
            await self._connect(process, sock)
        else:
            process = await self._start()
        process.idle_since = self.server.now()
        self._idle.append(process)

    def admit(self, exchange: Exchange) -> ErrorAnswer | None:
        del exchange
        return self._admission.enter()

    def release(self, exchange: Exchange) -> None:
        del exchange
        self._admission.leave()

    def begin(self, exchange: Exchange) -> None:
        if self._idle:
            self._idle.pop().give(exchange)
            return
        exchange.job = _Waiting(exchange)
        task = self._loop.create_task(self._start_for(exchange))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    def done(self, process: HandlerProcessClient, exchange: Exchange, outcome: int, *, fit: bool) -> None:
        """A request has left its process."""
        now = self.server.now()
        self._admission.done(exchange, outcome, now)
        if not fit:
            return
        if self.closing:
            process.hang_up()
            return
        process.idle_since = now
        self._idle.append(process)
        if self._reaper is None and len(self._idle) > 1:
            self._reaper = self._loop.call_later(REST, self._reap)

    def gone(self, process: HandlerProcessClient) -> None:
        """A process has ended."""
        self._all.discard(process)
        if process in self._idle:
            self._idle.remove(process)
        if self._ended is not None and not self._all and not self._ended.done():
            self._ended.set_result(None)

    def cut(self) -> None:
        """Grace is over: stop what still runs."""
        for process in list(self._all):
            process.cut()

    def retire(self) -> None:
        """No more requests are coming: let each process end as soon as it has none."""
        self.closing = True
        idle, self._idle = self._idle, []
        for process in idle:
            process.hang_up()
        if self._reaper is not None:
            self._reaper.cancel()

    async def ended(self) -> None:
        """Wait until every process has ended; whoever waits bounds the time."""
        for process in self._all:
            process.hang_up()
        if self._all:
            self._ended = self._loop.create_future()
            await self._ended
        self.deadlines.close()

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._all if process.pid]

    async def _start_for(self, exchange: Exchange) -> None:
        process = await self._start()
        job = exchange.job
        if isinstance(job, _Waiting) and job.gone:
            self.done(process, exchange, DISCONNECT, fit=True)
            return
        process.give(exchange)

    async def _start(self) -> HandlerProcessClient:
        ours, theirs = pair()
        process = self.ordered()
        with theirs:
            self._spawn(process, theirs)
        await self._connect(process, ours)
        return process

    async def _connect(self, process: HandlerProcessClient, sock: socket.socket) -> None:
        sock.setblocking(False)  # noqa: FBT003 - the socket module's signature
        await self._loop.create_unix_connection(lambda: process, sock=sock)

    def _reap(self) -> None:
        """Hang up on what rested long; the one used last stays."""
        self._reaper = None
        now = self.server.now()
        for process in self._idle[:-1]:
            if now - process.idle_since >= REST:
                self._idle.remove(process)
                process.hang_up()
        if len(self._idle) > 1:
            self._reaper = self._loop.call_later(REST, self._reap)


class _Waiting:
    """Stands in for the process that is being forked: gathers the body where the client's `give` takes it from."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.gone = False

    def body(self, chunk: bytes) -> None:
        if chunk:
            self._exchange.chunks.append(chunk)
            self._exchange.connection.hold_body(self._exchange, hold=True)

    def writable(self) -> None:
        """Nothing was written yet."""

    def cancel(self, why: str) -> None:
        del why
        self.gone = True
