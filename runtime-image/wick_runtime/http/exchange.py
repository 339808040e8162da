"""One request and its response.

The connection makes it when the head is there, the application answers it through `respond`, or `start`, `write` and
`end`. The two sides may end in any order; whatever the application does after the connection is gone, or after the
deadline answered for it, is ignored.
"""

from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol

from wick_runtime.http.head import ONCE, bodiless, checked, render, render_whole
from wick_runtime.http.message.refusal import ErrorAnswer, Headers

if TYPE_CHECKING:
    from wick_runtime.http.connection import Connection


_BODILESS: Final = frozenset((204, 304))
_PREFIXES: Final[dict[tuple[int, tuple[bytes, bytes]], bytes]] = {}
"""Status line and only header of whole responses, as most have them."""
_MOST_PREFIXES: Final = 256


def _remember(status: int, header: tuple[bytes, bytes]) -> None:
    if len(_PREFIXES) < _MOST_PREFIXES and header[0].lower() not in ONCE:
        _PREFIXES[status, header] = render(status, [header])


class Job(Protocol):
    """What runs for an exchange and wants to hear of it."""

    def body(self, chunk: bytes) -> None:
        """More of the request's body; empty at its end."""

    def writable(self) -> None:
        """The client reads again."""

    def cancel(self, why: str) -> None:
        """Stop: ``deadline`` or ``disconnect``."""


class Exchange:
    """See the module."""

    # Defaults live in the class: most requests change few of them, and a request is made for every one.
    http10 = False
    keep_alive = True
    expects = False
    length: int | None = None
    """The request body's announced length."""
    request_id = b""
    attempt = 1
    cold_start = False
    traced = False
    """The router asks how long it waited here and how long its handler took."""
    given = 0.0
    """When a handler got it, monotonic seconds; only where it is traced."""
    deadline = 0.0
    """Seconds the client allows, until the request is let in; from then on monotonic seconds when time is up."""
    begun = 0.0
    """When it was let in, monotonic seconds."""
    admitted = False
    refusal: ErrorAnswer | None = None
    job: Job | None = None
    size = 0
    """Bytes of the request's body so far."""
    body_done = False
    upgrades = False
    """It offers another protocol."""
    body_apart = False
    """It offers another protocol and has a body: the offer is ignored, and another parser reads the body."""
    started = False
    ended = False
    chunked = False
    _head = b""
    """A head that waits for the first piece of its body."""
    left = -1
    """Bytes of an announced response body still to come; -1 when none was announced."""

    def __init__(self, connection: "Connection", method: str, target: bytes, headers: Headers) -> None:
        self.connection = connection
        self.method = method
        self.target = target
        self.headers = headers
        self.head_only = method == "HEAD"
        self.chunks: list[bytes] = []

    def take_body(self) -> bytes:
        """What has arrived of the body so far, and forget it."""
        chunks = self.chunks
        if not chunks:
            return b""
        self.chunks = []
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """The whole response at once."""
        if self.ended:
            return
        if self.traced:
            headers = [*headers, self._timing()]
        connection = self.connection
        server = connection.server
        prefix = _PREFIXES.get((status, headers[0])) if len(headers) == 1 else None
        if not self.body_done and connection.too_long_to_drain(self):
            self.keep_alive = False
        end = b"\r\n" if self.keep_alive and not self.http10 and not server.draining else self._connection_header()
        self.started = self.ended = True
        self._head = b""
        if prefix is None or self.head_only or status in _BODILESS:
            self._respond_otherwise(status, headers, body, end)
            return
        connection.send_whole(
            self,
            b"%b%bx-request-id: %b\r\ncontent-length: %d\r\n%b%b"
            % (prefix, server.clock.date(connection.touched), self.request_id, len(body), end, body),
        )

    def _respond_otherwise(self, status: int, headers: Headers, body: bytes, end: bytes) -> None:
        """With a head that is not known by heart, or without a body."""
        connection = self.connection
        head = render_whole(status, headers, connection.server.clock.date(connection.touched), self.request_id)
        if status not in _BODILESS:
            head += b"content-length: %d\r\n" % len(body)
            if len(headers) == 1:
                _remember(status, headers[0])
        connection.send_whole(self, head + end if self.head_only or status in _BODILESS else head + end + body)

    def start(self, status: int, headers: Headers) -> None:
        """Begin a response whose body follows in pieces; ``content-length`` among `headers` is kept to."""
        if self.ended:
            return
        headers = checked(headers)
        if self.traced:
            headers.append(self._timing())
        lengths = [value for name, value in headers if name.lower() == b"content-length"]
        if lengths and not bodiless(status):
            self.left = int(lengths[0])
        elif not bodiless(status):
            self.chunked = not self.http10
            self.keep_alive = self.keep_alive and self.chunked
            headers = [*headers, (b"transfer-encoding", b"chunked")] if self.chunked else headers
        if self.head_only or bodiless(status):
            self.left, self.chunked = 0, False
        head = render_whole(status, headers, self.connection.date(), self.request_id)
        self._head = head + self._connection_header()
        self.connection.server.soon(self.flush)

    def flush(self) -> None:
        """Send the head, if no piece of the body came along to travel with it."""
        if self._head and not self.ended:
            self._send(b"")

    def _send(self, data: bytes) -> None:
        head, self._head = self._head, b""
        self.started = True
        self.connection.send(head + data)

    def write(self, chunk: bytes) -> None:
        """A piece of the body; what exceeds the announced length is cut off."""
        if self.ended or not chunk:
            return
        if self.left >= 0:
            chunk = chunk[: self.left]
            self.left -= len(chunk)
            self._send(chunk)
        elif self.chunked:
            self._send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        else:
            self._send(chunk)

    def end(self) -> None:
        """The response is complete; if fewer bytes came than were announced, it is broken off instead."""
        if self.ended:
            return
        if self.left > 0:
            self.abort()
            return
        if self.chunked or self._head:
            self._send(b"0\r\n\r\n" if self.chunked else b"")
        self.ended = True
        self.connection.ended(self)

    def abort(self) -> None:
        """Break the connection off, so that the client cannot take what it has for the whole."""
        if not self.ended:
            self.ended = True
            self.connection.abort()

    def refuse(self, refusal: ErrorAnswer) -> None:
        """Answer with an error, or break off what has begun."""
        if self.started:
            self.abort()
            return
        if refusal.status >= 500 or not self.body_done:  # noqa: PLR2004 - a body nobody wants may be long
            self.keep_alive = self.keep_alive and self.connection.worth_draining(self)
        request_id = self.request_id.decode("latin-1")
        self.respond(refusal.status, refusal.headers(), refusal.body(self.connection.server.function, request_id))

    def _timing(self) -> tuple[bytes, bytes]:
        """Milliseconds until a handler got the request, and until it answered; the router passes them on."""
        given = self.given or self.begun
        wait, handler = (given - self.begun) * 1000, (monotonic() - given) * 1000
        return b"kubewick-timing", b"wait;dur=%.1f, handler;dur=%.1f" % (wait, handler)

    @property
    def writable(self) -> bool:
        """Whether the client keeps up."""
        return self.connection.writable

    def _connection_header(self) -> bytes:
        if self.connection.server.draining:
            self.keep_alive = False
        if not self.keep_alive:
            return b"connection: close\r\n\r\n"
        return b"connection: keep-alive\r\n\r\n" if self.http10 else b"\r\n"
