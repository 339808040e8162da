"""Messages and file descriptors between two processes of one instance, over a stream socket pair.

A message is a JSON object behind a five-byte header: its length and how many descriptors come with it. Linux and
macOS keep descriptors in order with the bytes they were sent with, so they are taken first in, first out.
Sending blocks: every receiver reads promptly and runs no user code in the thread that does, or dies trying, which
ends the wait with an error.
"""

import array
import json
import socket
from collections.abc import Sequence
from typing import Any

_HEADER = 5
_MOST_FDS = 64
_READ = 65536

Message = tuple[dict[str, Any], list[int]]


class Closed(Exception):
    """The other side is gone."""


class Channel:
    """One end of the pair."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._bytes = bytearray()
        self._fds: list[int] = []

    def fileno(self) -> int:
        return self.sock.fileno()

    def close(self) -> None:
        self.sock.close()

    def send(self, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
        """Raises `Closed` when nobody reads any more."""
        body = json.dumps(message).encode()
        data = len(body).to_bytes(4, "big") + bytes([len(fds)]) + body
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            sent = self.sock.sendmsg([data], ancillary)
            if sent < len(data):
                self.sock.sendall(data[sent:])
        except (BrokenPipeError, ConnectionResetError) as gone:
            raise Closed from gone

    def receive(self, *, wait: bool) -> list[Message]:
        """Every whole message that has arrived; with `wait`, at least one. Raises `Closed` at the end."""
        while True:
            messages = self._take()
            if messages or not (self._read(wait=wait) or wait):
                return messages

    def _read(self, *, wait: bool) -> bool:
        space = socket.CMSG_SPACE(_MOST_FDS * 4)
        try:
            data, ancillary, _, _ = self.sock.recvmsg(_READ, space, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except ConnectionResetError as gone:
            raise Closed from gone
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds = array.array("i")
                fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
                self._fds.extend(fds)
        if not data:
            raise Closed
        self._bytes += data
        return True

    def _take(self) -> list[Message]:
        messages: list[Message] = []
        while len(self._bytes) >= _HEADER:
            end = _HEADER + int.from_bytes(self._bytes[:4], "big")
            if len(self._bytes) < end:
                break
            count = self._bytes[4]
            messages.append((json.loads(self._bytes[_HEADER:end]), self._fds[:count]))
            del self._bytes[:end], self._fds[:count]
        return messages


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected stream sockets."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
