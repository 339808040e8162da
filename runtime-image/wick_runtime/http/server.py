"""What the connections of one listening socket share: the application, the limits, the clock, the parser."""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from wick_runtime.config import Patience
from wick_runtime.http.connection import LINGER, Connection
from wick_runtime.http.exchange import Exchange
from wick_runtime.http.gate import bar, knocked, shut
from wick_runtime.http.head import Clock
from wick_runtime.http.message.parser import Kit
from wick_runtime.http.message.refusal import ErrorAnswer
from wick_runtime.http.request_id import request_ids
from wick_runtime.ipc.shared_table import SLOTS, SharedTable

SETTLE: Final = 0.5
"""Seconds without a byte, while draining, after which a new connection, or one in the middle of a head, is closed."""
PARTING: Final = 0.25
"""Seconds a kept connection rests on while draining: a request that was on its way when SIGTERM came is answered."""
SWEEP: Final = 5.0
"""Seconds between looks at slow and idle connections, at most."""


def may_part(rested: float, *, idle: bool, used: bool, part_way: bool) -> bool:
    """Whether a connection without a byte for `rested` seconds may be closed while draining.

    `part_way`: a head has begun to arrive, or the rest of a body whose request was answered.
    """
    return (idle and rested > (PARTING if used else SETTLE)) or (part_way and rested > SETTLE)


class App(Protocol):
    """What answers exchanges."""

    hold: int
    """Bytes of a body to gather before `begin`; 0 begins at the head."""
    max_body: int

    def admit(self, exchange: Exchange) -> ErrorAnswer | None:
        """Let the exchange in, or say why not. Every admitted one comes back as `release` or as a begun job."""

    def begin(self, exchange: Exchange) -> None:
        """Run it."""

    def release(self, exchange: Exchange) -> None:
        """An admitted exchange whose client left before it began."""


class ConnectionWatcher(Protocol):
    """Somebody outside this process who keeps each connection."""

    def opened(self, slot: int, fd: int) -> None: ...
    def closed(self, slot: int) -> None: ...


class ServerSettings(NamedTuple):
    """How a server treats its clients."""

    function: str = ""
    timeout: float = 60.0
    patience: Patience = Patience()


class Server:
    """See the module."""

    def __init__(
        self, app: App, kit: Kit, table: SharedTable, settings: ServerSettings, watcher: ConnectionWatcher | None = None
    ) -> None:
        self.app = app
        self.table = table
        self.function = settings.function
        self.draining = False
        self.now: Callable[[], float] = time.monotonic
        self.connections: set[Connection] = set()
        self.timeout = settings.timeout
        self.kit = kit
        self.ids = request_ids()
        self.clock = Clock()
        self._patience = settings.patience
        self._sweep_every = min(SWEEP, *(seconds / 4 for seconds in settings.patience))
        self._watcher = watcher
        self._free: list[int] = []
        self._unused = 0  # slots from here on were never taken; the last takes what is written after a connection's end
        self._loop = asyncio.get_running_loop()
        self._sweeper: asyncio.TimerHandle | None = None
        self._listener: asyncio.Server | None = None
        self._socket: socket.socket | None = None
        self._drained_from = 0.0

    async def listen(self, sock: socket.socket) -> None:
        """Accept connections from now on."""
        self._listener = await self._loop.create_server(lambda: Connection(self), sock=sock, backlog=2048)
        self._socket = sock

    async def adopt(self, sock: socket.socket) -> None:
        """Serve a connection that another process accepted."""
        await self._loop.connect_accepted_socket(lambda: Connection(self), sock)

    async def drain(self, busy: Callable[[], int]) -> None:
        """Stop, politely; until every connection is closed and nothing is `busy`.

        What comes meanwhile is answered with ``Connection: close``. The gate stays open to the end: clients learn late
        that this instance is leaving, and a request that is answered, if only by a refusal, is not lost.
        """
        self.draining = True
        self._drained_from = self.now()
        barred = False
        while busy() or self.connections or not barred or (self._socket is not None and knocked(self._socket.fileno())):
            if not busy() and not self.connections and not barred and self._socket is not None:
                bar(self._socket)
                barred = True
            self._part()
            await asyncio.sleep(0.01)
        self.close()

    def _part(self) -> None:
        """Close what rests."""
        now = self.now()
        for connection in list(self.connections):
            rested = now - max(connection.touched, self._drained_from)
            part_way = connection.in_head or connection.dropping
            rests = may_part(rested, idle=connection.idle, used=connection.used, part_way=part_way)
            drips = connection.dropping and now - max(connection.dropping_since, self._drained_from) > LINGER
            if drips or (rests and not knocked(connection.fd)):
                connection.close()

    def leave(self) -> None:
        """Accept nothing more here; who knocks waits for the next process that listens on this socket."""
        if self._listener is not None:
            self._listener.close()

    def close(self) -> None:
        """Stop accepting."""
        if self._listener is not None and self._socket is not None:
            shut(self._socket)
            self._listener.close()

    # -- for connections

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        self._loop.call_later(seconds, call)

    def soon(self, call: Callable[[], None]) -> None:
        self._loop.call_soon(call)

    def too_large(self) -> str:
        return f"the body is larger than {self.app.max_body} bytes"

    def opened(self, connection: Connection, fd: int) -> bool:
        """Give the connection a slot; False when there is none left."""
        if self._free:
            connection.slot = self._free.pop()
        elif self._unused < SLOTS - 1:
            connection.slot = self._unused
            self._unused += 1
        else:
            return False
        connection.touched = self.now()
        self.table.clear(connection.slot)
        if self._watcher is not None:
            self._watcher.opened(connection.slot, fd)
        self.connections.add(connection)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._sweep_every, self._sweep)
        return True

    def closed(self, connection: Connection) -> None:
        if connection.slot < 0:
            return
        self.connections.discard(connection)
        self.table.clear(connection.slot)
        if self._watcher is not None:
            self._watcher.closed(connection.slot)
        self._free.append(connection.slot)
        connection.slot = -1

    def refused(self, exchange: Exchange, refusal: ErrorAnswer) -> None:
        """Count an answer the application never saw."""
        if refusal.refused and not exchange.admitted:
            self.table.count(4)

    def _sweep(self) -> None:
        now = self.now()
        for connection in list(self.connections):
            rested = now - connection.touched
            if connection.in_head and rested > self._patience.head:
                connection.time_out()
            elif connection.gathers() and (rested > self._patience.head or connection.overdue(now)):
                connection.time_out_body()
            elif (connection.idle and rested > self._patience.idle) or (
                connection.dropping and now - connection.dropping_since > self._patience.head
            ):
                connection.close()
        self._sweeper = self._loop.call_later(self._sweep_every, self._sweep) if self.connections else None
