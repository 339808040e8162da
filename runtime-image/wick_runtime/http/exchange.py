"""One request and its response.

The connection makes it when the head is there, the application answers it through `respond`, or `start`, `write` and
`end`. The two sides may end in any order; whatever the application does after the connection is gone, or after the
deadline answered for it, is ignored.
"""

from typing import TYPE_CHECKING, Protocol

from wick_runtime.http.head import bodiless, checked, render, status_line
from wick_runtime.http.refusal import Headers, Refusal

if TYPE_CHECKING:
    from wick_runtime.http.connection import Connection


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

    __slots__ = (
        "admitted",
        "attempt",
        "begun",
        "body_done",
        "chunked",
        "chunks",
        "cold_start",
        "connection",
        "deadline",
        "ended",
        "expects",
        "head_only",
        "headers",
        "http10",
        "job",
        "keep_alive",
        "left",
        "length",
        "method",
        "outcome",
        "refusal",
        "request_id",
        "size",
        "started",
        "target",
    )  # fmt: skip

    def __init__(self, connection: "Connection", method: str, target: bytes, headers: Headers) -> None:
        self.connection = connection
        self.method = method
        self.target = target
        self.headers = headers
        self.head_only = method == "HEAD"
        self.http10 = False
        self.keep_alive = True
        self.expects = False
        self.length: int | None = None
        """The request body's announced length."""
        self.request_id = b""
        self.attempt = 1
        self.cold_start = False
        self.deadline = 0.0
        self.begun = 0.0
        """When it was let in, monotonic seconds."""
        self.admitted = False
        self.refusal: Refusal | None = None
        self.job: Job | None = None
        self.chunks: list[bytes] = []
        self.size = 0
        self.body_done = False
        self.started = False
        self.ended = False
        self.chunked = False
        self.left = -1
        """Bytes of an announced response body still to come; -1 when none was announced."""
        self.outcome = 0
        """Index in `table.OUTCOMES`."""

    def take_body(self) -> bytes:
        """What has arrived of the body so far, and forget it."""
        chunks, self.chunks = self.chunks, []
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """The whole response at once."""
        if self.ended:
            return
        connection = self.connection
        head = [status_line(status)]
        head += [name + b": " + value + b"\r\n" for name, value in headers]
        head.append(connection.server.date())
        if self.request_id:
            head.append(b"x-request-id: " + self.request_id + b"\r\n")
        if not bodiless(status):
            head.append(b"content-length: %d\r\n" % len(body))
        head.append(self._connection_header())
        self.started = True
        if self.head_only or bodiless(status):
            body = b""
        head.append(body)
        connection.send_whole(b"".join(head))
        self.ended = True
        connection.ended(self)

    def start(self, status: int, headers: Headers) -> None:
        """Begin a response whose body follows in pieces; ``content-length`` among `headers` is kept to."""
        if self.ended:
            return
        headers = checked(headers)
        lengths = [value for name, value in headers if name.lower() == b"content-length"]
        if lengths and not bodiless(status):
            self.left = int(lengths[0])
        elif not bodiless(status):
            self.chunked = not self.http10
            self.keep_alive = self.keep_alive and self.chunked
            headers = [*headers, (b"transfer-encoding", b"chunked")] if self.chunked else headers
        if self.head_only or bodiless(status):
            self.left, self.chunked = 0, False
        head = render(status, headers) + self.connection.server.date()
        if self.request_id:
            head += b"x-request-id: " + self.request_id + b"\r\n"
        self.started = True
        self.connection.send(head + self._connection_header())

    def write(self, chunk: bytes) -> None:
        """A piece of the body; what exceeds the announced length is cut off."""
        if self.ended or not chunk:
            return
        if self.left >= 0:
            chunk = chunk[: self.left]
            self.left -= len(chunk)
            self.connection.send(chunk)
        elif self.chunked:
            self.connection.send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        else:
            self.connection.send(chunk)

    def end(self) -> None:
        """The response is complete; if fewer bytes came than were announced, it is broken off instead."""
        if self.ended:
            return
        if self.left > 0:
            self.abort()
            return
        self.ended = True
        if self.chunked:
            self.connection.send(b"0\r\n\r\n")
        self.connection.ended(self)

    def abort(self) -> None:
        """Break the connection off, so that the client cannot take what it has for the whole."""
        if not self.ended:
            self.ended = True
            self.connection.abort()

    def refuse(self, refusal: Refusal) -> None:
        """Answer with an error, or break off what has begun."""
        if self.started:
            self.abort()
            return
        if refusal.status >= 500 or not self.body_done:  # noqa: PLR2004 - a body nobody wants may be long
            self.keep_alive = self.keep_alive and self.connection.worth_draining(self)
        request_id = self.request_id.decode("latin-1")
        self.respond(refusal.status, refusal.headers(), refusal.body(self.connection.server.function, request_id))

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
