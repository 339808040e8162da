"""What the front and a handler process say to each other over their socket pair.

A frame is one byte of kind and four of length, then the payload. Both ends run the same interpreter and the peer is
this function's own code, so structured payloads are `marshal`: no parsing cost, and nobody else can send them.

::

    front -> process    REQUEST  marshal of `HandlerCall`; then, unless it is complete, BODY ... BODY, END
    process -> front    RESPONSE marshal of (status, headers, body); or HEAD marshal of (status, headers), BODY ..., END
                        or BROKEN in place of END when the handler failed after it had begun to answer
                        LAST before any of these: this process takes no further request
"""

import marshal
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from wick_runtime.http.message.refusal import Headers

REQUEST: Final = ord("Q")
BODY: Final = ord("B")
END: Final = ord("E")
RESPONSE: Final = ord("R")
HEAD: Final = ord("H")
BROKEN: Final = ord("X")
LAST: Final = ord("L")

_HEADER = 5


class HandlerCall(NamedTuple):
    """A request on its way to a handler process."""

    method: str
    target: bytes
    headers: Headers
    request_id: bytes
    deadline: float
    """Monotonic seconds, one clock for all processes of a machine."""
    attempt: int
    cold_start: bool
    body: bytes
    complete: bool
    """Whether `body` is all of it."""


def pack(kind: int, payload: bytes = b"") -> bytes:
    return bytes([kind]) + len(payload).to_bytes(4, "big") + payload


def pack_call(*fields: Any) -> bytes:
    """The fields of a `HandlerCall`, in order."""
    return pack(REQUEST, marshal.dumps(fields))


def unpack_call(payload: bytes) -> HandlerCall:
    return HandlerCall(*marshal.loads(payload))  # noqa: S302 - see the module


def pack_response(outcome: int, status: int, headers: Headers, body: bytes) -> bytes:
    """`outcome` is an index in `table.OUTCOMES`."""
    return pack(RESPONSE, marshal.dumps((outcome, status, headers, body)))


def pack_head(status: int, headers: Headers) -> bytes:
    return pack(HEAD, marshal.dumps((status, headers)))


class FrameReader:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Every frame that is whole now."""
        self._bytes += data
        while len(self._bytes) >= _HEADER:
            end = _HEADER + int.from_bytes(self._bytes[1:_HEADER], "big")
            if len(self._bytes) < end:
                return
            kind, payload = self._bytes[0], bytes(self._bytes[_HEADER:end])
            del self._bytes[:end]
            yield kind, payload
