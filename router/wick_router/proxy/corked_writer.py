"""What is written in one turn of the loop goes out together, behind the last read of that turn.

    turn: read, read, read ... each writes a little -> waiting        next turn: all that waits goes to the kernel

A peer that sleeps is woken by the first bytes that reach it, which costs the writer microseconds when it happens for
each of many peers between two reads. Gathered, most writes find their peers awake. Nothing waits for more to come:
the next turn begins at once. Much is written at once, as is what follows it.

Whoever closes the socket, ends its sending side or hands it over has to `flush` before; what waits for a socket that
was broken off is dropped. Nothing else may touch the transport's output.
"""

import asyncio

MUCH = 16_384
"""Bytes that are not worth waiting with: they wake the peer for long enough."""


class Outbox:
    """The outlets of one process in which something waits."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: list[Outlet] = []

    def add(self, outlet: "Outlet") -> None:
        if not self._due:
            self._loop.call_soon(self.flush)
        self._due.append(outlet)

    def flush(self) -> None:
        """Write all that waits."""
        due, self._due = self._due, []
        for outlet in due:
            outlet.flush()


class Outlet:
    """The sending side of a connection; its class is a protocol that derives from this one."""

    transport: asyncio.Transport
    _waiting = b""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def write(self, data: bytes) -> None:
        """Send, at the latest in the next turn of the loop."""
        if self._waiting:
            if len(self._waiting) + len(data) < MUCH:
                self._waiting += data
                return
            self.flush()
        elif len(data) < MUCH:
            self._waiting = data
            self._outbox.add(self)
            return
        self.transport.write(data)

    def flush(self) -> None:
        """Send what waits now."""
        data = self._waiting
        if data:
            self._waiting = b""
            if not self.transport.is_closing():
                self.transport.write(data)
