"""A stream server of the test's own whose connections have all ended when it has stopped."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class StreamServer:
    """Calls `handler(reader, writer)` for each connection, and closes what it returned from.

    asyncio makes the task of a coroutine callback itself, so that of a connection whose task has not had its first turn
    at the end nobody knows; its socket is then left to the garbage collector, which pytest makes an error of.
    """

    def __init__(self, handler: Handler, limit: int = 1 << 16) -> None:
        self._handler = handler
        self._limit = limit
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start(self, listening: socket.socket | None = None) -> None:
        if listening:
            self.server = await asyncio.start_server(self._accept, limit=self._limit, sock=listening)
        else:
            self.server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=self._limit)
        self.port: int = self.server.sockets[0].getsockname()[1]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections[asyncio.create_task(self._serve(reader, writer))] = writer

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):  # the other side may go when it likes
            await self._handler(reader, writer)
        writer.close()

    async def stop(self) -> None:
        self.server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        for writer in self._connections.values():
            writer.transport.abort()
        await asyncio.sleep(0)  # an aborted transport closes its socket in the loop's next turn


@contextlib.asynccontextmanager
async def stream_server(handler: Handler) -> AsyncIterator[StreamServer]:
    """A server on loopback, for the time of the block."""
    server = StreamServer(handler)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
