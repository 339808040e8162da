"""The worker's connections, kept by the control process in case the worker dies.

A duplicate of each descriptor arrives here when the worker accepts a connection and goes when the worker closes it.
After a death the shared table says what each held: a quiet one goes to the next worker as it is, one whose response
had not begun gets a 502 with the reason, one in the middle of its response is reset, so that nobody takes half an
answer for a whole one.
"""

import os
import socket

from wick_runtime.http.message.refusal import ErrorAnswer, raw
from wick_runtime.ipc.shared_table import HELD, QUIET, SharedTable

_RESET = b"\x01\0\0\0\0\0\0\0"  # struct linger {1, 0}


class ConnectionBackup:
    """One worker's connections."""

    def __init__(self, table: SharedTable, function: str) -> None:
        self._table = table
        self._function = function
        self._fds: dict[int, int] = {}

    def opened(self, slot: int, fd: int) -> None:
        self._fds[slot] = fd

    def closed(self, slot: int) -> None:
        fd = self._fds.pop(slot, None)
        if fd is not None:
            os.close(fd)

    def __len__(self) -> int:
        return len(self._fds)

    @property
    def busy(self) -> bool:
        """Whether a request runs on one of them."""
        deadlines = self._table.deadlines
        return any(deadlines[slot] for slot in self._fds)

    def overdue(self, now: float) -> list[int]:
        """Slots whose request is past its deadline."""
        deadlines = self._table.deadlines
        return [slot for slot in self._fds if 0.0 < deadlines[slot] < now]

    def bury(
        self, refusals: dict[int, ErrorAnswer], default: ErrorAnswer
    ) -> tuple[list[int], list[socket.socket], int]:
        """After the worker's death: answer what it held.

        Returns the quiet connections' descriptors, the answered ones that may be closed a moment later, and how many
        requests were lost.
        """
        quiet, answered, lost = [], [], 0
        for slot, fd in self._fds.items():
            state = self._table.states[slot]
            if state == QUIET:
                quiet.append(fd)
                continue
            lost += 1
            sock = socket.socket(fileno=fd)
            if state == HELD:
                answer(sock, raw(refusals.get(slot, default), self._function, self._table.request_id(slot)))
                answered.append(sock)
            else:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                sock.close()
            self._table.clear(slot)
        self._fds.clear()
        return quiet, answered, lost


def answer(sock: socket.socket, data: bytes) -> None:
    """Send a short last answer and say that no more comes; a client that is gone is nobody's loss."""
    sock.setblocking(False)  # noqa: FBT003 - the socket module's signature
    try:
        sock.send(data)
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        return
