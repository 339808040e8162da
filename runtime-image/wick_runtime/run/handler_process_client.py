"""The front's side of one handler process: what it is given, what it says, and how it ends.

::

    spawn --> busy <--> idle --(rest)--> hung up --(`shutdown`, `atexit`)--> dead
                |                           ^
                +-- deadline or client gone: SIGUSR1 --(no end)--> SIGKILL --> dead, replaced on demand
                +-- died by itself: its request gets 502 and how it died

What counts is the word how it ended, not the end of its socket, which a child of the handler may hold open.
"""

import asyncio
import contextlib
import marshal
import math
import os
import signal
from time import monotonic
from typing import Any, Final, Protocol

from wick_runtime.call.frame import BODY, BROKEN, END, HEAD, LAST, RESPONSE, FrameReader, pack, pack_call
from wick_runtime.http.exchange import Exchange
from wick_runtime.http.message.refusal import ErrorAnswer
from wick_runtime.http.server import Server
from wick_runtime.ipc.deadlines import Deadlines
from wick_runtime.ipc.exit_status import died
from wick_runtime.run.admission import CRASH, CUT, DEADLINE, DISCONNECT, ERROR, OK, TIMEOUT
from wick_runtime.run.finalization import FINALIZATION

PATIENCE: Final = 0.5
"""Seconds an interrupted handler has for its ``finally`` blocks before it is killed."""
UNREPORTED: Final = 0.5
"""Seconds between looks at a process that has hung up: whether it still runs, where nobody says how it ended."""
READ: Final = 65536
MOST_LEFT: Final = 1 << 24
"""Bytes read from a dead process's socket; far more than a kernel's buffer holds."""
ENDED: Final = {"deadline": TIMEOUT, "disconnect": DISCONNECT, "drain": ERROR}
"""How a request that was stopped is counted, by why."""


class ProcessOwner(Protocol):
    """What the client of a process needs of the pool it belongs to."""

    server: Server
    deadlines: Deadlines
    closing: bool

    def done(self, process: "HandlerProcessClient", exchange: Exchange, outcome: int, *, fit: bool) -> None:
        """A request has left its process."""

    def gone(self, process: "HandlerProcessClient") -> None:
        """A process has ended."""


class HandlerProcessClient(asyncio.Protocol):
    """One handler process, seen from the front."""

    def __init__(self, pool: ProcessOwner) -> None:
        self.pid = 0
        self.exchange: Exchange | None = None
        self.idle_since = 0.0
        self._pool = pool
        self._frames = FrameReader()
        self._transport: Any = None
        self._lost = False
        self._gone = False
        self._until = 0.0
        """When a process that has hung up must have ended."""
        self._status: int | None = None
        self._killed = ""
        self._stopping = 0
        self._behind = False
        """The process reads more slowly than it is written to."""
        self._last = False
        """It takes no further request, it said."""

    # -- the pool's side

    def give(self, exchange: Exchange) -> None:
        """Run a request, with all of its body that has arrived."""
        self.exchange = exchange
        exchange.job = self
        if exchange.traced:
            exchange.given = monotonic()
        complete = exchange.body_done
        self._transport.write(
            pack_call(
                exchange.method,
                exchange.target,
                exchange.headers,
                exchange.request_id,
                exchange.deadline,
                exchange.attempt,
                exchange.cold_start,
                exchange.take_body(),
                complete,
            )
        )
        self._pool.deadlines.add(self, exchange.deadline)
        if not complete:
            exchange.connection.hold_body(exchange, hold=self._behind)

    def cut(self) -> None:
        """Grace is over."""
        if self.exchange is not None and not self.exchange.ended:
            self._killed = "drain"
            self.exchange.refuse(CUT)
            self._stop()

    def hang_up(self) -> None:
        """Let it end by itself."""
        if self._transport is not None:
            self._transport.close()

    def forked(self, pid: int) -> None:
        self.pid = pid
        if self._stopping:
            self._signal(signal.SIGKILL)

    def exited(self, status: int) -> None:
        """`status` as `os.waitstatus_to_exitcode` gives it."""
        self._status = status
        if self._transport is not None and not self._lost:
            self._read_rest()
            self._transport.abort()
            self._lost = True
        self._conclude()

    # -- the exchange's side

    def body(self, chunk: bytes) -> None:
        self._transport.write(pack(BODY, chunk) if chunk else pack(END))

    def writable(self) -> None:
        self._transport.resume_reading()

    def cancel(self, why: str) -> None:
        self._killed = self._killed or why
        self._stop()

    # -- deadlines' side

    def expire(self) -> float | None:
        """First 504 and an interruption, then the end."""
        if self.exchange is not None and not self.exchange.ended:
            self._killed = "deadline"
            self.exchange.refuse(DEADLINE)
        self._stop()
        return self._pool.server.now() + PATIENCE if self._stopping == 1 else None

    # -- the process's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        for kind, payload in self._frames.feed(data):
            self._heard(kind, payload)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._lost = True
        self._conclude()
        if self._status is None:
            self._pool.deadlines.discard(self)
            self._until = math.inf if self._pool.closing else self._pool.server.now() + FINALIZATION
            self._pool.server.later(UNREPORTED, self._look)

    def pause_writing(self) -> None:
        self._behind = True
        if self.exchange is not None:
            self.exchange.connection.hold_body(self.exchange, hold=True)

    def resume_writing(self) -> None:
        self._behind = False
        if self.exchange is not None:
            self.exchange.connection.hold_body(self.exchange, hold=False)

    # -- inside

    def _heard(self, kind: int, payload: bytes) -> None:
        exchange = self.exchange
        if exchange is None:
            return
        if kind == RESPONSE:
            outcome, status, headers, body = marshal.loads(payload)  # noqa: S302 - see `frame`
            self._finished(outcome)
            exchange.respond(status, headers, body)
        elif kind == HEAD:
            exchange.start(*marshal.loads(payload))  # noqa: S302 - see `frame`
        elif kind == BODY:
            exchange.write(payload)
            if not exchange.writable and not exchange.ended:
                self._transport.pause_reading()
        elif kind == END:
            self._finished(OK)
            exchange.end()
        elif kind == BROKEN:
            self._finished(ERROR)
            exchange.abort()
        elif kind == LAST:
            self._last = True

    def _finished(self, outcome: int) -> None:
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        if not exchange.body_done:
            self._transport.write(pack(END))
            exchange.job = None
        self._pool.deadlines.discard(self)
        fit = not (self._stopping or self._last) and self._status is None
        self._pool.done(self, exchange, ENDED.get(self._killed, outcome), fit=fit)

    def _stop(self) -> None:
        self._stopping += 1
        self._signal(signal.SIGUSR1 if self._stopping == 1 else signal.SIGKILL)
        if self._stopping == 1:
            self._pool.deadlines.add(self, self.exchange.deadline if self.exchange is not None else 0.0)

    def _signal(self, number: int) -> None:
        if self.pid and self._status is None:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:  # it ended by itself; the report is on its way
                return

    def _read_rest(self) -> None:
        """What it sent before it died; no more than the socket held, since nobody of ours writes to it any more."""
        fd = self._transport.get_extra_info("socket").fileno()
        left = MOST_LEFT
        with contextlib.suppress(OSError):  # nothing more
            while left > 0 and (data := os.read(fd, READ)):
                left -= len(data)
                self.data_received(data)

    def _look(self) -> None:
        """It has hung up and runs `shutdown` and `atexit`; or whoever forked it died first, and nobody says its end."""
        if self._status is not None:
            return
        if not self.pid or not _exists(self.pid):
            self.exited(os.EX_UNAVAILABLE)
            return
        if self._pool.server.now() >= self._until:
            self._signal(signal.SIGKILL)
        self._pool.server.later(UNREPORTED, self._look)

    def _conclude(self) -> None:
        """Dead, and known how."""
        if self._status is None or not self._lost or self._gone:
            return
        self._gone = True
        exchange, self.exchange = self.exchange, None
        self._pool.deadlines.discard(self)
        self._pool.gone(self)
        if exchange is None:
            return
        if not exchange.ended:
            exchange.refuse(ErrorAnswer(502, "instance-failed", f"the handler's process {died(self._status)}"))
        self._pool.done(self, exchange, ENDED.get(self._killed, CRASH), fit=False)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
