"""Closing a listening socket without resetting anybody.

A client is connected as soon as the kernel has shaken its hand, whether or not anybody accepts, and whoever waits in
the queue when the socket closes is reset with its request. So first the kernel is told to leave new handshakes
unanswered (`bar`), then those that wait are served, then the socket is shut (`shut`). Who knocked meanwhile tries
again by itself a second later, and is refused outright.
"""

import array
import select
import socket
import struct
from contextlib import suppress
from typing import Final

_SO_ATTACH_FILTER: Final = 26  # Linux; the socket module has no name for it
_LOAD_BYTE, _JUMP_IF_SET, _RETURN = 0x30, 0x45, 0x06
_FLAGS, _ACK = 13, 0x10  # of a TCP header
_PROGRAM: Final = (  # (code, jump if true, jump if false, constant): classic BPF
    (_LOAD_BYTE, 0, 0, _FLAGS),
    (_JUMP_IF_SET, 0, 1, _ACK),
    (_RETURN, 0, 0, 0xFFFF_FFFF),  # part of a handshake that is under way
    (_RETURN, 0, 0, 0),  # drop a first SYN
)


def knocked(fd: int) -> bool:
    """Whether something waits to be read: a connection to accept, or a request that nobody has looked at yet."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


def bar(sock: socket.socket) -> None:
    """Begin no new handshake; where that cannot be had (not Linux, gVisor), a client that knocks now may be reset."""
    code = array.array("B", b"".join(struct.pack("HBBI", *step) for step in _PROGRAM))
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(_PROGRAM), code.buffer_info()[0]))


def shut(sock: socket.socket) -> None:
    """Refuse from now on, in the name of every process that shares the socket."""
    with suppress(OSError):  # only Linux shuts a listening socket
        sock.shutdown(socket.SHUT_RDWR)
