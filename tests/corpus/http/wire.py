"""A connection without a network: bytes go into a protocol, and what it writes is kept.

For the corpus at unit level. The transport pauses, closes and ends as asyncio's do; nothing is read while the protocol
wants nothing to be read.
"""

import asyncio
import re
import socket
from collections.abc import Callable, Iterable

TURNS = 3
"""Turns of the loop in which a protocol does what it left for later."""


class Transport(asyncio.Transport):
    """See the module. What is written past it, straight to its descriptor, is kept as well."""

    def __init__(self) -> None:
        self.ours, self._theirs = socket.socketpair()
        self.ours.setblocking(False)  # noqa: FBT003 - as the library has it
        self._theirs.setblocking(False)  # noqa: FBT003 - as above
        self._written = b""
        self.paused = False
        self.closing = False

    def get_extra_info(self, name: str, default: object = None) -> object:
        return {"socket": self.ours, "peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)}.get(name, default)

    def written(self) -> bytes:
        """Everything so far."""
        while True:
            try:
                piece = self._theirs.recv(1 << 20)
            except BlockingIOError:
                return self._written
            if not piece:
                return self._written
            self._written += piece

    def write(self, data: bytes) -> None:
        self._written = self.written() + bytes(data)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        pass

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True

    def release(self) -> None:
        """Give the descriptors back."""
        self.ours.close()
        self._theirs.close()


async def play(
    protocol: asyncio.Protocol, pieces: Iterable[bytes], turn: Callable[[], None] = lambda: None
) -> tuple[list[int], bool]:
    """Send the pieces; the statuses of the final answers, and whether the connection was ended by the server.

    `turn` is called whenever the protocol has read, for whoever plays the other side.
    """
    transport = Transport()
    try:
        protocol.connection_made(transport)
        for piece in pieces:
            await _turns(turn)
            if transport.closing or transport.paused:
                break
            protocol.data_received(piece)
        await _turns(turn)
        written = transport.written()
        closed = transport.closing or b"onnection: close\r\n" in written
        protocol.connection_lost(None)
        return [status for status in map(int, re.findall(rb"HTTP/1\.1 (\d+) ", written)) if status >= 200], closed
    finally:
        transport.release()


async def _turns(turn: Callable[[], None]) -> None:
    for _ in range(TURNS):
        turn()
        await asyncio.sleep(0)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """The data in pieces of these sizes, over and over."""
    pieces, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        pieces.append(data[at : at + size])
        at, turn = at + size, turn + 1
    return pieces
