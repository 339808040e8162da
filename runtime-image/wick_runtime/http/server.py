"""What the connections of one listening socket share: the application, the limits, the clock, the parser."""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from wick_runtime.context import request_ids
from wick_runtime.http.connection import Connection
from wick_runtime.http.exchange import Exchange
from wick_runtime.http.head import Clock
from wick_runtime.http.parser import Kit
from wick_runtime.http.refusal import Refusal
from wick_runtime.table import SLOTS, Table

HEAD_TIMEOUT: Final = 30.0
"""Seconds a client may take over a request head."""
IDLE_TIMEOUT: Final = 620.0
"""Seconds a keep-alive connection may rest: longer than the usual load balancer's 600, so that they close first."""
SETTLE: Final = 0.5
"""Seconds a new connection may stay without a request while draining."""
SWEEP: Final = 5.0
"""Seconds between looks at slow and idle connections."""


class App(Protocol):
    """What answers exchanges."""

    hold: int
    """Bytes of a body to gather before `begin`; 0 begins at the head."""
    max_body: int

    def admit(self, exchange: Exchange) -> Refusal | None:
        """Let the exchange in, or say why not. Every admitted one comes back as `release` or as a begun job."""

    def begin(self, exchange: Exchange) -> None:
        """Run it."""

    def release(self, exchange: Exchange) -> None:
        """An admitted exchange whose client left before it began."""


class Watcher(Protocol):
    """Somebody outside this process who keeps each connection."""

    def opened(self, slot: int, fd: int) -> None: ...
    def closed(self, slot: int) -> None: ...


class Settings(NamedTuple):
    """How a server treats its clients."""

    function: str = ""
    timeout: float = 60.0


class Server:
    """See the module."""

    def __init__(self, app: App, kit: Kit, table: Table, settings: Settings, watcher: Watcher | None = None) -> None:
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
        self._watcher = watcher
        self._free: list[int] = []
        self._unused = 0  # slots from here on were never taken; the last takes what is written after a connection's end
        self._loop = asyncio.get_running_loop()
        self._sweeper: asyncio.TimerHandle | None = None
        self._listeners: list[asyncio.Server] = []

    async def listen(self, sock: socket.socket) -> None:
        """Accept connections from now on."""
        self._listeners.append(await self._loop.create_server(lambda: Connection(self), sock=sock, backlog=2048))

    async def adopt(self, sock: socket.socket) -> None:
        """Serve a connection that another process accepted."""
        await self._loop.connect_accepted_socket(lambda: Connection(self), sock)

    def drain(self) -> None:
        """Answer what comes with ``Connection: close``, and close what rests; again from time to time.

        A connection that was only just accepted gets `SETTLE` to send the request it was opened for.
        """
        self.draining = True
        now = self.now()
        for connection in list(self.connections):
            if connection.idle and (connection.used or now - connection.touched > SETTLE):
                connection.close()

    def close(self) -> None:
        """Stop accepting."""
        for listener in self._listeners:
            listener.close()

    def fds(self) -> Sequence[int]:
        return [sock.fileno() for listener in self._listeners for sock in listener.sockets]

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
            self._sweeper = self._loop.call_later(SWEEP, self._sweep)
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

    def refused(self, exchange: Exchange, refusal: Refusal) -> None:
        """Count an answer the application never saw."""
        if refusal.refused and not exchange.admitted:
            self.table.count(4)

    def _sweep(self) -> None:
        now = self.now()
        for connection in list(self.connections):
            rested = now - connection.touched
            if connection.in_head and rested > HEAD_TIMEOUT:
                connection.time_out()
            elif connection.idle and rested > IDLE_TIMEOUT:
                connection.close()
        self._sweeper = self._loop.call_later(SWEEP, self._sweep) if self.connections else None
