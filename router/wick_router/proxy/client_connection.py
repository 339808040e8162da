"""A client's connection: reads requests, keeps their order, and hands each to its `ProxyExchange`.

    head --on_headers_complete--> body --complete--> head ...      one parser per connection
                                   | a counted body that did not come with its head is counted here, past the parser
    101 -> the socket changes hands (`open_tunnel`);  error or early answer -> linger: read and drop, then close

Requests that come before the one ahead of them is answered (pipelining) wait in `_pending`; reading stops meanwhile.
Reading also stops while an instance takes no more of a body, and while the memory for waiting bodies is used up; the
reasons are counted apart, so that one does not undo the other.
"""

import asyncio
import enum
import struct
from collections import deque
from socket import SO_LINGER, SOL_SOCKET
from typing import TYPE_CHECKING, Final, cast

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpRequestParser

from wick_api.reason import Refusal
from wick_router.http import heads
from wick_router.http.refusal import RefusedRequest
from wick_router.http.remainder import within_chunked_body
from wick_router.http.trace_context import traced
from wick_router.proxy import request_head
from wick_router.proxy.corked_writer import Outlet
from wick_router.proxy.exchange import ProxyExchange

if TYPE_CHECKING:
    from wick_router.proxy.data_plane import DataPlane

MAX_PIPELINED = 64
"""Requests read ahead of the one being answered; a client that sends more is not read further."""
LINGER = 2.0
"""Seconds a closing connection is read and dropped, so that the answer is not lost in a reset."""
RESET = struct.pack("ii", 1, 0)
VERSION: Final = b" HTTP/1.1\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"


class Hold(enum.IntFlag):
    """Why a client is not read from."""

    NONE = 0
    PIPELINE = 1
    UPSTREAM = 2
    MEMORY = 4
    UPGRADE = 8


class ClientConnection(Outlet):
    """See the module."""

    __deletable__ = ("parser",)

    parser: HttpRequestParser

    def __init__(self, plane: "DataPlane", scheme: bytes, *, public: bool) -> None:
        super().__init__(plane.outbox)
        self.plane = plane
        self.scheme = scheme
        self.public = public
        """It came to a public listener, which knows public functions alone."""
        self.peer = ""
        self.trusted = False
        self.exchange: ProxyExchange | None = None
        """The request being answered."""
        self.incoming: ProxyExchange | None = None
        """The request whose body is being read."""
        self.heard = plane.clock()
        self.head_since = 0.0
        """When the head being read began; 0 between heads."""
        self.closing = False
        self.closing_since = 0.0
        self.half_closed = False
        self.write_paused = False
        self.write_paused_since = 0.0
        self._pending: deque[ProxyExchange] = deque()
        self._holds = Hold.NONE
        self._left = 0
        self._unread: ProxyExchange | None = None
        self._url = b""
        self._kept: list[bytes] = []
        self._read: dict[bytes, bytes] = {}
        self._head_bytes = 0
        self._fed = 0
        self._trailers: list[tuple[bytes, bytes]] = []
        self._bad: RefusedRequest | None = None
        self._first = b""
        """What was read with the beginning of a request at its beginning."""
        self.route_cache: request_head.RouteCache | None = None

    # Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.peer = peer[0] if isinstance(peer, tuple) else ""
        self.trusted = heads.trusted(self.peer, self.plane.config.trusted_proxies)
        self.transport.set_write_buffer_limits(high=self.plane.write_high)
        self.parser = HttpRequestParser(self)
        self.plane.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the transport's signature
        self.closing = True
        self.plane.left(self)
        exchange, self.exchange, self.incoming = self.exchange, None, None
        self._drop_pending()
        del self.parser
        if exchange is not None:
            exchange.client_left()

    def _drop_pending(self) -> None:
        while self._pending:
            self._pending.popleft().client_left()

    def eof_received(self) -> bool:
        """A client may close its side and still read the answer; `DataPlane.sweep` finds out whether it is there."""
        self.half_closed = True
        self.flush()
        if self.closing or self.exchange is None or self.incoming is not None or self.scheme == b"https":
            return False
        self.exchange.keep_alive = False
        if self.exchange.minor and not self.exchange.response_started:
            self.write(PROCESSING)  # draws a reset from a client that is gone
        self.plane.watch_half_closed(self)
        return True

    def pause_writing(self) -> None:
        self.write_paused = True
        self.write_paused_since = self.plane.clock()
        if self.exchange is not None and self.exchange.conn is not None:
            self.exchange.conn.pause_reading()

    def resume_writing(self) -> None:
        self.write_paused = False
        if self.exchange is not None and self.exchange.conn is not None:
            self.exchange.conn.resume_reading()

    def data_received(self, data: bytes) -> None:
        self.heard = self.plane.clock()
        if self.closing:
            return
        if self._left:
            data = self._counted_body(data)
            if not data:
                return
        self._feed(data)

    # Reading

    def hold(self, why: Hold) -> None:
        """Stop reading for this reason."""
        if not self._holds:
            self.transport.pause_reading()
        self._holds |= why

    def release(self, why: Hold) -> None:
        """This reason to stop reading is over."""
        if self._holds & why:
            self._holds &= ~why
            if not self._holds and not self.transport.is_closing():
                self.transport.resume_reading()

    @property
    def reading(self) -> bool:
        """Whether the next byte is up to the client."""
        return not self._holds

    def _feed(self, data: bytes) -> None:
        if self.incoming is None and not self.head_since:
            self.head_since = self.heard
            self._fed = len(data)
            self._first = data
        else:
            self._fed += len(data)
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._other_protocol(data[upgrade.args[0] :])
        except HttpParserCallbackError as error:
            raise error.__context__ or error from error  # a bug of ours; the loop reports it and closes
        except HttpParserError as error:
            self._malformed(error)
        else:
            if self.incoming is not None or self.head_since:
                self._awaits_more(self.incoming)

    def _awaits_more(self, incoming: ProxyExchange | None) -> None:
        """The read ended within a request: in its head or trailers, which have a limit, or in its body."""
        if not self.head_since and incoming is not None and incoming.length > incoming.received:
            self._left = incoming.length - incoming.received
        elif self._fed > self.plane.config.header_bytes:
            which = "head is" if self.head_since else "trailers are"
            self._refuse_head(RefusedRequest(Refusal.HEADERS_TOO_LARGE, f"the request's {which} too large"))

    def _counted_body(self, data: bytes) -> bytes:
        """Take what belongs to the body; the rest is the next request's."""
        incoming = cast("ProxyExchange", self.incoming)
        left = self._left - len(data)
        if left > 0:
            self._left = left
            incoming.feed(data)
            return b""
        rest = data[self._left :] if left else b""
        self._left = 0
        self.parser = HttpRequestParser(self)  # the old one still waits for the body
        incoming.feed(data[: len(data) + left] if left else data)
        self.on_message_complete()
        return b"" if self.closing else rest

    # The parser's callbacks

    def on_url(self, url: bytes) -> None:
        self._url += url
        if not self.head_since:  # it follows another request in the same read
            self.head_since = self.heard
            self._fed = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + 4
        if self.incoming is not None:
            self._trailers.append((name, value))
            return
        lower = name.lower()
        value = value.rstrip()  # the parser leaves white space behind a value, which is no part of it (RFC 9110, 5.5)
        if lower in heads.REQUEST_FIELDS:
            if lower in self._read:
                self._repeated(lower, value)
            else:
                self._read[lower] = value
        elif lower[0] != heads.K or not lower.startswith(heads.INTERNAL):
            self._kept.append(b"%b: %b\r\n" % (name, value))
            if len(self._kept) > self.plane.config.header_count:
                self._bad = RefusedRequest(Refusal.HEADERS_TOO_LARGE, "the request has too many header fields")
                self._kept.clear()
        elif lower == heads.TRACE and not self.public:
            self._read[lower] = value

    def on_headers_complete(self) -> None:
        if self.closing:
            return  # what the parser still holds lies behind the last request that is answered
        parser, read, url = self.parser, self._read, self._url
        exchange = ProxyExchange(self, parser.get_method(), self.heard)
        exchange.kept, self._kept = self._kept, exchange.kept
        self._read, self._url = {}, b""
        self.head_since = 0.0
        self._fed = 0
        exchange.keep_alive = parser.should_keep_alive()
        if b"x-request-id" in read or b"traceparent" in read:
            self._identify(exchange, read)
        else:
            digits = self.plane.digits()
            exchange.request_id = digits[:32]
            exchange.traceparent = b"00-%b-%b-00" % (exchange.request_id, digits[32:])
        if self.plane.tracing is not None or heads.TRACE in read:
            self._trace(exchange, read)
        refused = self._check(exchange, url)
        if refused is None and len(read) > 1:
            refused = request_head.framing(exchange, read)
        if refused is None:
            refused = request_head.route(self, exchange, read, url)
            # Whoever sends what others might read differently gets no second request on this connection.
            doubtful = refused is not None and refused.refusal is Refusal.BAD_REQUEST
        else:
            doubtful = True
        exchange.refused = refused
        if doubtful:
            exchange.keep_alive = False
        self.incoming = exchange
        if self.exchange is None and not self._pending:
            self.exchange = exchange
            if not (exchange.length or exchange.chunked):
                exchange.request_done = True
            exchange.begin(self.heard)
        else:
            exchange.upgrade = b""  # what follows is read as HTTP already
            self._pending.append(exchange)
            self.hold(Hold.PIPELINE)
        if b"upgrade" in read and (exchange.length or exchange.chunked) and parser.should_upgrade():
            self._unread, self.incoming = exchange, None  # the parser leaves its body to us: see `_other_protocol`

    def _identify(self, exchange: ProxyExchange, read: dict[bytes, bytes]) -> None:
        """The client told who this request is, or which trace it belongs to."""
        exchange.request_id, exchange.traceparent = heads.identity(
            read.get(b"x-request-id"), read.get(b"traceparent"), self.plane.digits()
        )
        if b"tracestate" in read and exchange.traceparent == read.get(b"traceparent"):
            exchange.kept.append(b"tracestate: %b\r\n" % read[b"tracestate"])

    def _trace(self, exchange: ProxyExchange, read: dict[bytes, bytes]) -> None:
        """Note where the time goes, when the caller asks for it or the collector shall have this trace."""
        given, tracing = exchange.traceparent == read.get(b"traceparent"), self.plane.tracing
        recorded = tracing is not None and tracing.sampler.records(exchange.traceparent, given=given)
        if recorded or read.get(heads.TRACE) == b"1":
            trace = traced(exchange.traceparent, self.plane.digits(), given=given, recorded=recorded)
            if recorded:
                exchange.traceparent = trace.traceparent
            exchange.trace = trace

    def _check(self, exchange: ProxyExchange, url: bytes) -> RefusedRequest | None:
        """What is wrong with the head as such."""
        bad, self._bad = self._bad, None
        size, self._head_bytes = self._head_bytes + len(url), 0
        at = len(exchange.method) + 1 + len(url)
        if self._first[at : at + len(VERSION)] != VERSION:
            version = self.parser.get_http_version()
            exchange.minor = 0 if version == "1.0" else 1
            if version not in ("1.1", "1.0"):
                bad = RefusedRequest(Refusal.BAD_REQUEST, f"HTTP/{version} is not spoken here", status=505)
        if exchange.method == b"CONNECT":  # the parser takes what follows for another protocol
            bad = RefusedRequest(Refusal.METHOD_NOT_ALLOWED, "CONNECT is not offered", status=501)
        self._first = b""
        if size > self.plane.config.header_bytes:
            bad = RefusedRequest(Refusal.HEADERS_TOO_LARGE, "the request's head is too large")
        return bad

    def on_body(self, data: bytes) -> None:
        self._fed = 0
        if self.incoming is not None:
            self.incoming.feed(data)

    def on_message_complete(self) -> None:
        incoming, self.incoming = self.incoming, None
        trailers, self._trailers = self._trailers, []
        self._head_bytes = 0
        if incoming is not None:
            incoming.feed_end(heads.trailer_lines(trailers) if trailers else b"")
            if len(self._pending) >= MAX_PIPELINED:
                self._pending[-1].keep_alive = False

    # What a head means

    def _repeated(self, name: bytes, value: bytes) -> None:
        if name in (b"host", b"content-length", b"transfer-encoding"):
            self._bad = RefusedRequest(Refusal.BAD_REQUEST, f"the request has two {name.decode()} fields")
        elif name in (b"connection", b"forwarded", b"x-forwarded-for", b"upgrade", b"te", b"tracestate"):
            self._read[name] += b", " + value
        elif name == b"traceparent":
            self._read[name] = b""  # two are as good as none

    def _other_protocol(self, rest: bytes) -> None:
        """After a request that asks for an upgrade the parser stops: what follows waits for the answer.

        It stops behind the head even where a body follows. Such a request is answered as if it had not asked.
        """
        if self._unread is not None:
            incoming = self.incoming = self._unread
            self._unread = None
            if incoming.chunked:
                self.parser = within_chunked_body(self)
            else:
                self._left = incoming.length
                rest = self._counted_body(rest) if rest else b""
            if self.closing:
                return
            if rest:
                self._feed(rest)
            return
        exchange = self.exchange
        if exchange is not None and exchange.upgrade and not exchange.settled and not self._pending:
            exchange.tail = rest
            self.hold(Hold.UPGRADE)
            return
        self._speak_http(rest)

    def _speak_http(self, rest: bytes) -> None:
        self.parser = HttpRequestParser(self)
        if rest and not self.closing:
            self._feed(rest)

    def handed_over(self, side: asyncio.Protocol) -> None:
        """Another protocol has the socket from here on."""
        self.closing = True
        self.exchange = self.incoming = None
        self.plane.left(self)
        self.flush()
        self.transport.set_protocol(side)
        del self.parser

    def not_upgraded(self, tail: bytes) -> None:
        """The instance did not take the upgrade: what followed is the next request."""
        self._speak_http(tail)
        self.release(Hold.UPGRADE)

    # Trouble

    def _malformed(self, error: HttpParserError) -> None:
        last = self._pending[-1] if self._pending else self.exchange
        if self.incoming is None and last is not None and not last.keep_alive:
            return  # bytes after a request that said it was the last
        self._refuse_head(RefusedRequest(Refusal.BAD_REQUEST, f"the request is not HTTP: {error}"))

    def _refuse_head(self, refused: RefusedRequest) -> None:
        """Nothing after this point of the stream can be understood."""
        if self.closing:
            return  # the parser only now objects to a head that was refused, and answered, in its callback
        self.head_since = 0.0
        incoming, self.incoming = self.incoming, None
        if incoming is not None:  # in a body
            if incoming is self.exchange:
                incoming.refuse(refused)
                return
            self._pending.pop()
        exchange = ProxyExchange(self, b"GET", self.heard)
        exchange.refused, exchange.keep_alive = refused, False
        exchange.request_done = False
        exchange.request_id = self.plane.digits()[:32]
        if self.exchange is None:
            self.exchange = exchange
            exchange.begin(self.heard)
        else:
            self._pending.append(exchange)
            self.hold(Hold.PIPELINE)

    def timed_out(self) -> None:
        """The client took too long to send a head or a body."""
        refused = RefusedRequest(Refusal.BAD_REQUEST, "the request did not come in time", status=408)
        if self.exchange is not None:
            self.exchange.refuse(refused)
        else:
            self._refuse_head(refused)

    # Answers

    def answered(self, exchange: ProxyExchange, now: float) -> None:
        """An exchange is over: the next one, or the end."""
        self.exchange = None
        if not exchange.keep_alive:
            self.finish(clean=exchange.request_done)
        elif self._pending:
            self.exchange = following = self._pending.popleft()
            if not self._pending:
                self.release(Hold.PIPELINE)
            following.begin(now)
        elif self.plane.draining:
            self.finish(clean=True)

    def finish(self, *, clean: bool) -> None:
        """Close once everything is written; when the client may still be sending, read it off first."""
        if self.closing:
            return
        self.closing = True
        self._drop_pending()
        self.flush()
        if clean or self.half_closed or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.closing_since = self.plane.clock()
        self.transport.write_eof()
        self._holds = Hold.NONE
        self.transport.resume_reading()

    def abort(self) -> None:
        """Break off so that the client can tell: a reset, not an end."""
        self.closing = True
        socket = self.transport.get_extra_info("socket")
        if socket is not None:
            socket.setsockopt(SOL_SOCKET, SO_LINGER, RESET)
        self.transport.abort()
