"""One client connection: bytes in, exchanges one after the other, bytes out.

::

    data -> parser -> Exchange --admit--> begin --respond--> next exchange
                         |   (pipelined ones wait in order, and reading stops while any does)
                         +-- refused: answered without the application

What is written goes straight to the kernel with one call; only what the kernel does not take is left to the event
loop's transport. So "response complete" is known the moment it is written, and the shared table never calls a
connection quiet while part of an answer sits in a buffer that would die with this process.
"""

import asyncio
import math
import os
import socket
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from wick_runtime.http.exchange import Exchange
from wick_runtime.http.message.parser import Parser
from wick_runtime.http.message.refusal import ErrorAnswer, bad_request
from wick_runtime.http.message.rules import check, head_too_large
from wick_runtime.ipc.shared_table import HELD, QUIET, STARTED

if TYPE_CHECKING:
    from wick_runtime.http.server import Server

MAX_HEAD: Final = 65536
"""Bytes of request line and headers."""
MAX_FIELDS: Final = 256
WORTH_DRAINING: Final = 1_048_576
"""Bytes of an unread request body that are read and dropped to keep the connection (RFC 9112, 9.3)."""
LINGER: Final = 2.0
"""Seconds a client may go on sending after our last answer before the connection is cut under it (RFC 9112, 9.6)."""
_METHODS: Final = {method: method.decode() for method in (b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"HEAD")}


class Connection(asyncio.Protocol):
    """See the module."""

    _peername: tuple[str, int] | None = None

    def __init__(self, server: "Server") -> None:
        self.server = server
        self.writable = True
        self.slot = -1
        self.raw: Callable[[bytes], None] | None = None
        """After an upgrade: takes the bytes as they come."""
        self.touched = 0.0
        self._large = False
        """More came at once than a head may have."""
        self._transport: Any = None
        self._fd = -1
        self._states = server.table.states
        self._deadlines = server.table.deadlines
        self._errors = server.kit.errors
        self._buffered = False
        self._parser = server.kit.make(self)
        self._feed = self._parser.feed_data
        self._current: Exchange | None = None
        self._incoming: Exchange | None = None
        self._waiting: deque[Exchange] = deque()
        self._closing = False
        self._lingering = False
        self._feeding = False
        self._in_head = False
        self._head_bytes = 0
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._failed: ErrorAnswer | None = None
        self._apart: Exchange | None = None
        """Its body begins where the parser has stopped."""
        self._held = False
        """Reading is paused because the body of `_incoming` arrives faster than it is consumed. Only then: once that
        body is complete, whatever comes belongs to somebody else."""
        self._dropped = 0
        """Bytes read and dropped since the response to `_current` was complete."""
        self.dropping_since = 0.0
        """Monotonic seconds when the response to `_current` was complete before its request; 0 if it was not."""

    # -- the event loop's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        sock = transport.get_extra_info("socket")
        self._fd = sock.fileno()
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self.server.opened(self, self._fd):
            self._closing = True
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        if self.raw is not None:
            self.raw(data)
            return
        self.touched = monotonic()
        if self._current is None:
            self._states[self.slot] = HELD
        self._large = len(data) > MAX_HEAD
        self._feeding = True
        try:
            self._feed(data)
        except self._errors as error:
            self._stumbled(error, data)
        self._feeding = False
        if self._in_head or self._failed is not None:
            self._unfinished(len(data))
        if self._current is None and not self._in_head:
            if self._buffered or self._closing or self.server.draining:
                self._settle()
            else:
                self._states[self.slot] = QUIET

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._closing = True
        self.server.closed(self)
        waiting = [self._current, *self._waiting] if self._current else list(self._waiting)
        self._current = self._incoming = None
        self._waiting.clear()
        for exchange in waiting:
            self._forget(exchange)
        del self._parser, self._feed  # they hold this object: freed now, not by the garbage collector

    def _forget(self, exchange: Exchange) -> None:
        answered, exchange.ended = exchange.ended, True
        if exchange.job is not None and not answered:
            exchange.job.cancel("disconnect")
        elif exchange.admitted and exchange.job is None and not answered:
            self.server.app.release(exchange)

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        if self._current is not None and self._current.job is not None:
            self._current.job.writable()

    # -- the parser's side

    def on_message_begin(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        self._target = b""
        self._headers = []

    def on_url(self, url: bytes) -> None:
        self._target = self._target + url if self._target else url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer: nothing may depend on it
        self._headers.append((name.lower(), value.rstrip()))  # the parser leaves white space behind a value

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._failed is not None:
            return
        parser, headers = self._parser, self._headers
        method = parser.get_method()
        exchange = Exchange(self, _METHODS.get(method) or method.decode("latin-1"), self._target, headers)
        version = parser.get_http_version()
        if version != "1.1":
            exchange.http10 = True
            if version != "1.0":
                exchange.refusal = ErrorAnswer(505, "bad-request", "only HTTP/1.0 and HTTP/1.1 are spoken here")
        if not parser.should_keep_alive():
            exchange.keep_alive = False
        whole = not (self._large or self._head_bytes)  # a usual head comes in one piece, of which the length is known
        if len(headers) > MAX_FIELDS or (not whole and self._size() > MAX_HEAD):
            exchange.refusal = head_too_large("request head is larger than 64 KiB or 256 fields")
            exchange.keep_alive = False
        else:
            check(exchange)
        self._incoming = exchange
        if self._current is None and not self._waiting:
            self._current = exchange
            self._admit(exchange)
        elif not self._lingering:
            self._waiting.append(exchange)
            self._read_or_not()
        if exchange.body_apart and parser.should_upgrade():
            self._apart, self._incoming = exchange, None

    def on_body(self, data: bytes) -> None:
        exchange = self._incoming
        if exchange is None:
            return
        exchange.size += len(data)
        if exchange.ended or exchange.refusal is not None:
            self._dropped += len(data)
            if self._dropped > WORTH_DRAINING and exchange.ended:
                self._linger()
            return
        if exchange.size > self.server.app.max_body:
            exchange.refusal = ErrorAnswer(413, "body-too-large", self.server.too_large())
            if exchange is self._current:
                self._refuse(exchange, exchange.refusal)
            return
        if exchange.job is not None:
            exchange.job.body(data)
            return
        exchange.chunks.append(data)
        if exchange.admitted and exchange.size > self.server.app.hold:
            self.server.app.begin(exchange)

    def on_message_complete(self) -> None:
        exchange, self._incoming = self._incoming, None
        if exchange is None:
            return
        exchange.body_done = True
        if self._held:
            self._held = False
            self._read_or_not()
        if exchange.ended:
            if exchange is self._current:
                self._states[self.slot] = HELD  # what follows in these bytes is another request
                self.ended(exchange)
        elif exchange.job is not None:
            exchange.job.body(b"")
        elif exchange.admitted:
            self.server.app.begin(exchange)

    # -- the exchange's side

    def send(self, data: bytes) -> None:
        """Hand `data` to the kernel, the rest to the transport."""
        if self._closing:
            return
        self._states[self.slot] = STARTED
        self._write(data)

    def send_whole(self, exchange: Exchange, data: bytes) -> None:
        """All of `exchange`'s response, head and body."""
        if self._buffered or self._closing:
            sent = 0
        else:
            try:
                sent = os.write(self._fd, data)
            except OSError:  # full, or the client is gone: `_write` finds out which
                sent = 0
        if sent != len(data) and not self._write(data[sent:]):
            self._states[self.slot] = STARTED
        self._deadlines[self.slot] = 0.0
        if (
            exchange is self._current
            and exchange.keep_alive
            and exchange.body_done
            and not self._waiting
            and self._failed is None
        ):
            self._current = None
            if not self._feeding:
                self._settle()
        else:
            self.ended(exchange)

    def ended(self, exchange: Exchange) -> None:
        """The response is written. The request may still be arriving."""
        self._deadlines[self.slot] = 0.0
        if exchange is not self._current:
            return
        if not exchange.keep_alive:
            self._close(exchange)
        elif exchange.body_done:
            # The job that did so may still be on the stack: what waits goes on from the loop.
            self._current = None
            self.dropping_since = 0.0
            if self._waiting or self._failed is not None:
                self.server.soon(self._pump)
            elif not self._feeding:
                self._settle()
        else:
            self._drop_rest()

    def abort(self) -> None:
        """Reset the connection: the client sees an error, not an end."""
        if self._closing:
            return
        self._closing = True
        reset = b"\x01\0\0\0\0\0\0\0"  # struct linger {1, 0}
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        self._transport.abort()

    def hold_body(self, exchange: Exchange, *, hold: bool) -> None:
        """Pause or resume reading, for an application that consumes the body of `exchange` too slowly.

        Ignored when that body is complete: the connection's further bytes are not its own, and a paused connection
        would hear neither the next request nor the client's leaving.
        """
        if exchange is self._incoming and not exchange.ended:
            self._held = hold
            self._read_or_not()

    def worth_draining(self, exchange: Exchange) -> bool:
        """Whether reading the rest of a refused request's body costs less than a new connection."""
        return exchange.body_done or (exchange.length is not None and exchange.length <= WORTH_DRAINING)

    def too_long_to_drain(self, exchange: Exchange) -> bool:
        """Whether so much of a request's body is still to come that its connection will not be kept."""
        return exchange.length is not None and exchange.length - exchange.size > WORTH_DRAINING

    def date(self) -> bytes:
        """The ``Date`` header."""
        return self.server.clock.date(self.touched)

    def peer(self, which: str) -> tuple[str, int] | None:
        """The address of the client (``peername``) or our own (``sockname``)."""
        if which == "peername" and self._peername is not None:
            return self._peername
        found = self._transport.get_extra_info(which)
        address = (found[0], found[1]) if isinstance(found, tuple) else None
        if which == "peername":
            self._peername = address
        return address

    def unwatched(self) -> None:
        """No deadline for what it holds."""
        self._deadlines[self.slot] = math.inf

    def upgrade(self, head: bytes, receive: Callable[[bytes], None]) -> None:
        """Leave HTTP: send `head`, and give every further byte to `receive`."""
        self.raw = receive
        self.send(head)

    def close(self) -> None:
        """Close when everything written has gone out."""
        if not self._closing:
            self._closing = True
            self._transport.close()

    @property
    def idle(self) -> bool:
        """Between two requests, with nothing of the next one read."""
        return self._current is None and not self._waiting and not self._in_head

    @property
    def dropping(self) -> bool:
        """Whether what comes is dropped: the response is complete, and the request is not."""
        return self.dropping_since > 0.0

    @property
    def used(self) -> bool:
        """Whether a request has come on it."""
        return bool(self._target)

    @property
    def fd(self) -> int:
        return self._fd

    @property
    def in_head(self) -> bool:
        return self._in_head

    def gathers(self) -> bool:
        """Whether a request was let in whose body is still gathered; no deadline of a handler counts for it yet."""
        exchange = self._current
        return exchange is not None and exchange.admitted and exchange.job is None and not exchange.ended

    def overdue(self, now: float) -> bool:
        """Whether the deadline of the request that it holds has passed."""
        return self._current is not None and self._current.deadline < now

    def time_out_body(self) -> None:
        """The client was too slow with a body that nobody has begun to handle."""
        exchange = self._current
        if exchange is not None:
            exchange.keep_alive = False
            self._refuse(exchange, ErrorAnswer(408, "bad-request", "the request body took too long"))

    def time_out(self) -> None:
        """The client was too slow with a request head."""
        self._failed = ErrorAnswer(408, "bad-request", "the request head took too long")
        self._fail()

    # -- inside

    def _stumbled(self, error: Exception, data: bytes) -> None:
        """The parser stopped: at an error, or where the client asks to leave HTTP."""
        problem = self.server.kit.explain(error)
        while problem.upgrade:
            data = data[problem.offset :]
            self._parser = self._next_parser()
            self._feed = self._parser.feed_data
            if self.raw is not None:
                self.raw(data)
                return
            try:
                self._feed(data)
            except self._errors as again:
                problem = self.server.kit.explain(again)
            else:
                return
        if self._failed is None:
            self._failed = bad_request(problem.message)

    def _next_parser(self) -> Parser:
        """For what is behind the head of a request that offered to change protocols: its body, or the next request."""
        exchange, self._apart = self._apart, None
        if exchange is None:
            return self.server.kit.make(self)
        if self.raw is None:
            self._incoming = exchange
        from wick_runtime.http.message.remainder import within_body  # noqa: PLC0415 - few clients offer, fewer with a body

        return within_body(self.server.kit, self, exchange.length)

    def _size(self) -> int:
        """Bytes of the head."""
        return len(self._target) + sum([len(name) + len(value) for name, value in self._headers])

    def _unfinished(self, size: int) -> None:
        """A head that has begun but not ended, or a stream that cannot be read on."""
        if self._failed is None:
            self._head_bytes += size
            if self._head_bytes > MAX_HEAD:
                self._failed = head_too_large("request head is larger than 64 KiB")
        if self._failed is not None:
            self._broken(self._failed)

    def _write(self, data: bytes) -> bool:
        if self._closing:
            return True
        if self._buffered and self._transport.get_write_buffer_size() == 0:
            self._buffered = False
        if not self._buffered:
            try:
                sent = os.write(self._fd, data)
            except BlockingIOError:
                sent = 0
            except OSError:  # the client is gone: the loop tells, if it reads and the writer waits for room
                self.writable = False
                if self._held:
                    self._cut()
                return True
            if sent == len(data):
                return True
            data = data[sent:]
        self._buffered = True
        self._transport.write(data)
        return False

    def _admit(self, exchange: Exchange) -> None:
        server = self.server
        if not exchange.request_id:
            exchange.request_id = server.ids.next()
        now = exchange.begun = self.touched if self._feeding else monotonic()
        allowed = exchange.deadline
        exchange.deadline = now + (server.timeout if allowed == 0.0 or allowed > server.timeout else allowed)
        app = server.app
        if exchange.length is not None and exchange.length > app.max_body:
            exchange.refusal = exchange.refusal or ErrorAnswer(413, "body-too-large", server.too_large())
        refusal = exchange.refusal or app.admit(exchange)
        if refusal is not None:
            self._refuse(exchange, refusal)
            return
        exchange.admitted = True
        self._deadlines[self.slot] = exchange.deadline
        server.table.remember(self.slot, exchange.request_id)
        if exchange.expects and not exchange.body_done:
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if exchange.body_done or exchange.size > app.hold or app.hold == 0:
            app.begin(exchange)

    def _refuse(self, exchange: Exchange, refusal: ErrorAnswer) -> None:
        exchange.refusal = refusal
        if exchange.expects and not exchange.body_done:
            exchange.keep_alive = False  # the client may or may not send the body now
        job = exchange.job
        waited = exchange.admitted and job is None and not exchange.ended
        exchange.refuse(refusal)
        self.server.refused(exchange, refusal)
        if job is not None:
            job.cancel("disconnect")
        elif waited:
            self.server.app.release(exchange)

    def _pump(self) -> None:
        if self._current is not None or self._closing:
            return
        if self._waiting:
            self._states[self.slot] = HELD
            self._current = self._waiting.popleft()
            self._admit(self._current)
            self._read_or_not()
        elif self._failed is not None:
            self._fail()
        self._settle()

    def _settle(self) -> None:
        if self._current is None and not self._in_head and not self._buffered and not self._closing:
            self._states[self.slot] = QUIET
            if self.server.draining:
                self.close()

    def _fail(self) -> None:
        """The bytes are not HTTP, or too many: answer once and close."""
        refusal = self._failed
        if refusal is None or self._closing:
            return
        exchange = Exchange(self, "GET", b"", [])
        exchange.request_id = self.server.ids.next()
        exchange.keep_alive = False
        self._current = exchange
        self._incoming = None
        self._in_head = False
        exchange.refuse(refusal)

    def _broken(self, problem: ErrorAnswer) -> None:
        """The stream cannot be read on: whatever was arriving is refused, what is complete goes on."""
        exchange, self._incoming = self._incoming, None
        if exchange is not None and not exchange.body_done:
            exchange.refusal = problem
            exchange.keep_alive = False
            if exchange is self._current:
                if exchange.ended:
                    self._linger()
                else:
                    self._refuse(exchange, problem)
        elif self._current is None and not self._closing:
            self._fail()

    def _close(self, exchange: Exchange) -> None:
        if exchange.body_done:
            self.close()
        else:
            self._linger()

    def _drop_rest(self) -> None:
        """The response is complete, and the request is not: read on, so that the connection can be kept."""
        self._states[self.slot] = STARTED  # nobody may answer this request a second time
        self._dropped = 0
        self.dropping_since = monotonic()
        self._held = False
        self._read_or_not()

    def _linger(self) -> None:
        """End our side, and read on for a moment: closing over unread bytes would take the answer back."""
        if self._lingering or self._closing:
            return
        self._lingering = True
        self._incoming = None
        self._failed = None
        self._waiting.clear()  # not let in yet, and never answered now
        self.raw = self._drop
        self.dropping_since = self.dropping_since or monotonic()
        self._held = False
        self._read_or_not()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self.server.later(LINGER, self._cut)

    def _drop(self, _data: bytes) -> None:
        """Read nothing of what a client still sends."""
        self.touched = monotonic()

    def _cut(self) -> None:
        if not self._closing:
            self._closing = True
            self._transport.abort()

    def _read_or_not(self) -> None:
        if self._closing or self._transport is None:
            return
        if self._held or self._waiting:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
