"""A connection to an instance: carries one exchange at a time, reads its answer, and goes back to the pool.

    idle --carry--> head --on_headers_complete--> body --on_message_complete--> complete --both keep alive--> idle
                     ^ | interim (1xx)                                             | otherwise: closed
                     +-+                                                           | declined: the request moves on
                       | 101: the socket changes hands (`open_tunnel`)

A counted body that did not come with its head is counted here and never touches the parser, so that large answers are
copied once less (`framing` says how long each body is). A body that ends early is a failure, never an end. Heads of
answers repeat, and the parser is asked once for each (`known`).
"""

import asyncio
from typing import TYPE_CHECKING, cast

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpResponseParser

from wick_api.header import REFUSED, RefusedBy
from wick_router.http import heads
from wick_router.http.head_cache import CachedHead
from wick_router.http.response_framing import (
    EARLY_HINTS,
    NO_BODY,
    OK,
    SWITCHING,
    UPGRADE_REQUIRED,
    Framing,
    Malformed,
    framing,
)
from wick_router.proxy.client_connection import Hold
from wick_router.proxy.corked_writer import Outlet
from wick_router.proxy.tunnel import open_tunnel

if TYPE_CHECKING:
    from wick_router.proxy.endpoint import Endpoint
    from wick_router.proxy.exchange import ProxyExchange

MAX_INTERIM = 16
"""Interim (1xx) answers to one request; more is an instance gone wrong."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
REFUSED_FIELD = REFUSED.encode()
MOVES_ON = frozenset((RefusedBy.CONCURRENCY, RefusedBy.DRAINING, RefusedBy.LOADING))
HARMLESS = frozenset((None, b"keep-alive", b"close", b"Keep-Alive", b"Close"))
"""Values of ``Connection`` that name no field."""


class InstanceConnection(Outlet):
    """See the module."""

    __deletable__ = ("_parser",)

    idle_since = 0.0
    open = False
    exchange: "ProxyExchange | None" = None
    # Of the answer being read; those that a plain answer leaves alone are reset only where they were used.
    _used = False
    """It has carried an exchange before, so the instance may have hung up just now without having read."""
    _reading_paused = False
    _write_paused = False
    """The instance takes no more of what was sent."""
    _in_head = True
    _complete = False
    _excess = False
    """Bytes came that belong to no answer."""
    _keep_alive = False
    _left = 0
    """Bytes of a counted body that are still to come."""
    _counting = False
    """The rest of a counted body is counted here, past the parser."""
    _until_close = False
    _interims = 0
    _interim = False
    _declined: RefusedBy | None = None
    _head_bytes = 0
    _trailing = 0
    """Bytes read since the last piece of a body that the parser counts."""
    _plain: CachedHead | None = None
    """The head just read, when it is worth remembering."""

    def __init__(self, endpoint: "Endpoint") -> None:
        super().__init__(endpoint.plane.outbox)
        self.endpoint = endpoint
        self._header_bytes = endpoint.plane.config.header_bytes
        self._kept: list[bytes] = []
        self._read: dict[bytes, bytes] = {}
        self._out: list[bytes] = []
        self._trailers: list[tuple[bytes, bytes]] = []
        self._parser = HttpResponseParser(self)

    # Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=self.endpoint.plane.write_high)
        self.open = True
        self.endpoint.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        self.endpoint.closed(self)
        exchange = self.exchange
        if exchange is not None:
            self._ended(exchange, reset=exc is not None)
        del self._parser

    def eof_received(self) -> bool:
        self.endpoint.forget(self)
        if self.exchange is not None:
            self._ended(self.exchange, reset=False)
        return False

    def pause_writing(self) -> None:
        self._write_paused = True
        if self.exchange is not None:
            self.exchange.client.hold(Hold.UPSTREAM)

    def resume_writing(self) -> None:
        self._write_paused = False
        if self.exchange is not None:
            self.exchange.client.release(Hold.UPSTREAM)

    def pause_reading(self) -> None:
        """The client takes no more for now."""
        if not self._reading_paused and self.open:
            self._reading_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self._reading_paused and self.open:
            self._reading_paused = False
            self.transport.resume_reading()

    # Request

    def carry(self, exchange: "ProxyExchange", now: float) -> None:
        """Send a request and what there is of its body."""
        self.exchange = exchange
        exchange.conn = self
        if exchange.buffered:  # by what came while this connection was dialled
            self.endpoint.upstream.unbuffer(exchange)
        head = exchange.head(now)
        if exchange.body:
            pieces = exchange.body
            if exchange.chunked:
                pieces = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
            self.write(b"".join((head, *pieces)))
            if exchange.received > self.endpoint.plane.config.replay_bytes:
                exchange.body = None
        else:
            self.write(head)
            if exchange.chunked or exchange.length:
                exchange.body = []
        if exchange.chunked and exchange.request_done:
            self.send_end(exchange.trailers)
        if exchange.expects and exchange.attempts == 1 and not exchange.received:
            exchange.client.write(CONTINUE)

    def send_body(self, exchange: "ProxyExchange", data: bytes) -> None:
        """A further piece of the body."""
        if exchange.chunked:
            self.write(b"%x\r\n%b\r\n" % (len(data), data))
        else:
            self.write(data)

    def send_end(self, trailers: bytes) -> None:
        """The end of a chunked body."""
        self.write(b"0\r\n%b\r\n" % trailers)

    def drop(self) -> None:
        """The exchange is over before its answer: what may still come belongs to nobody."""
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.client.release(Hold.UPSTREAM)
        self.close()

    def close(self) -> None:
        """Give the connection up."""
        if self.open:
            self.open = False
            self.endpoint.forget(self)
            self.transport.abort()

    # Answer

    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:
            self.close()  # words nobody asked for
            return
        if self._counting:
            self._counted(exchange, data)
            return
        if not self._in_head:
            self._trailing += len(data)
        elif self._as_known(exchange, data):
            return
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._upgraded(exchange, data[upgrade.args[0] :])
            return
        except HttpParserError as error:
            if not self._not_http(exchange, error):
                return
        if self._complete:
            self._remember(data)
            self._finish(exchange)
        else:
            self._awaits_more(exchange)

    def _awaits_more(self, exchange: "ProxyExchange") -> None:
        """The read ended within the answer: in its head or trailers, which have a limit, or in its body."""
        if self._in_head:
            if self._head_bytes > self._header_bytes:
                self._fail(exchange, "the head of the instance's answer is too large")
            return
        self._pass_on(exchange)
        self._counting = self._left > 0 and self._declined is None
        if self._trailing > self._header_bytes:
            self._fail(exchange, "the trailers of the instance's answer are too large")

    def _as_known(self, exchange: "ProxyExchange", data: bytes) -> bool:
        """Pass on an answer whose head is known and whose body is here; when not, its bytes count as the head's."""
        known = self.endpoint.known_heads.find(data)
        fresh = not self._head_bytes and not self._interims
        self._head_bytes += len(data)
        if known is None or not fresh or exchange.method == b"HEAD" or exchange.upgrade:
            return False
        self._keep_alive = True
        self._out.append(exchange.response_head(known.status, known.framing, known.lines, known.request_id))
        self._out.append(data[len(data) - known.length :])
        self._finish(exchange)
        return True

    def _remember(self, data: bytes) -> None:
        """Keep the head of a plain answer that came in one read."""
        plain, self._plain = self._plain, None
        unusual = not self._keep_alive or self._excess or self._interims or self._trailers
        if plain is not None and not unusual and len(data) == self._head_bytes:
            self.endpoint.known_heads.remember(data, plain)

    def _not_http(self, exchange: "ProxyExchange", error: HttpParserError) -> bool:
        """The parser gave up; True when that was behind a complete answer, which then still counts."""
        if isinstance(error, HttpParserCallbackError) and not isinstance(error.__context__, Malformed):
            raise error.__context__ or error from error  # a bug of ours; the loop reports it and closes
        self._excess = True
        if not self._complete:
            self._pass_on(exchange)
            self._fail(exchange, f"the instance's answer is not HTTP: {error.__context__ or error}")
        return self._complete

    def _counted(self, exchange: "ProxyExchange", data: bytes) -> None:
        left = self._left - len(data)
        if left > 0:
            self._left = left
            client = exchange.client
            client.write(data)
            if client.write_paused:
                self.pause_reading()
            return
        if left < 0:
            self._excess = True
            data = data[: self._left]
        self._left = 0
        self._counting = False
        self._out.append(data)
        self._parser = HttpResponseParser(self)  # the old one still waits for the body
        self._finish(exchange)

    def _pass_on(self, exchange: "ProxyExchange") -> None:
        out = self._out
        if out:
            self._out = []
            client = exchange.client
            client.write(out[0] if len(out) == 1 else b"".join(out))
            if client.write_paused:
                self.pause_reading()

    def _finish(self, exchange: "ProxyExchange") -> None:
        """The answer is complete."""
        self.exchange = None
        exchange.conn = None
        now = self.endpoint.plane.clock()
        out = self._out
        if out:
            self._out = []
            exchange.client.write(b"".join(out))
        declined = self._declined
        # One whose instance has not taken the whole request yet would make the next wait behind the rest.
        unsent = self._write_paused or not exchange.request_done
        if self._keep_alive and not unsent and not self._excess and self.open:
            self._ready_for_next()
            self.idle_since = now
            self.endpoint.put(self)
        else:
            exchange.client.release(Hold.UPSTREAM)
            self.close()
        if declined is not None:
            exchange.moved_on(declined)
        else:
            exchange.done(now)

    def _ready_for_next(self) -> None:
        self._used = self._in_head = True
        self._complete = False
        self._head_bytes = self._left = self._trailing = 0
        if self._reading_paused:
            self.resume_reading()
        if self._interims or self._trailers or self._declined is not None:
            self._interims = 0
            self._trailers = []
            self._declined = None

    def _ended(self, exchange: "ProxyExchange", *, reset: bool) -> None:
        """The instance closed or broke the connection."""
        if self._declined is not None:
            self._keep_alive = False
            self._finish(exchange)
        elif self._until_close and not reset:
            if exchange.response_chunked:
                self._out.append(b"0\r\n\r\n")
            self._finish(exchange)
        else:
            what = "broke off its answer" if exchange.response_started else "closed the connection without an answer"
            stale = self._used and self._in_head and not self._head_bytes
            self._fail(exchange, f"the instance {what}", stale=stale)

    def _fail(self, exchange: "ProxyExchange", why: str, *, stale: bool = False) -> None:
        self.exchange = None
        exchange.client.release(Hold.UPSTREAM)
        self.close()
        exchange.broken(why, stale=stale)

    # The parser's callbacks

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            if not self._complete and not self._interim:
                self._trailers.append((name, value))
            return
        lower = name.lower()
        value = value.rstrip()
        if lower in heads.RESPONSE_FIELDS:
            if lower in self._read:
                value = self._read[lower] + b", " + value
            self._read[lower] = value
        elif lower[0] != heads.K or not lower.startswith(heads.INTERNAL):
            self._kept.append(b"%b: %b\r\n" % (name, value))
        elif lower in (REFUSED_FIELD, heads.TIMING):
            self._read[lower] = value

    def on_headers_complete(self) -> None:
        exchange = self.exchange
        if exchange is None or self._complete:
            self._excess = True
            return
        parser = self._parser
        status = parser.get_status_code()
        read, kept = self._read, self._kept
        self._read, self._kept = {}, []
        self._plain = None
        if self._head_bytes > self._header_bytes and sum(map(len, kept)) > self._header_bytes:
            raise Malformed("its head is too large")  # the bytes read may be the body's
        if status < OK:
            self._on_interim(exchange, status, kept, read.get(b"x-request-id"))
            return
        self._in_head = False
        self._keep_alive = parser.should_keep_alive()
        connection = read.get(b"connection")
        if connection not in HARMLESS:
            kept = heads.without(kept, heads.tokens(connection))
        if REFUSED_FIELD in read and self._moves_on(exchange, read[REFUSED_FIELD]):
            return
        if exchange.trace is not None:
            exchange.trace.instance_timing = read.get(heads.TIMING, b"")
        if status == UPGRADE_REQUIRED and b"upgrade" in read:  # the client must be told to what (RFC 9110, 15.5.22)
            kept.append(b"Connection: Upgrade\r\nUpgrade: %b\r\n" % read[b"upgrade"])
        length, request_id = read.get(b"content-length"), read.get(b"x-request-id")
        if length is None or b"transfer-encoding" in read or status in NO_BODY or exchange.method == b"HEAD":
            coding = read.get(b"transfer-encoding")
            line = self._framed(exchange, framing(status, exchange.method, exchange.minor, length, coding))
        else:
            self._left = int(length)
            line = b"Content-Length: %d\r\n" % self._left
            if REFUSED_FIELD not in read and exchange.trace is None and not exchange.upgrade:
                self._plain = CachedHead(status, line, kept, self._left, request_id)
        self._out.append(exchange.response_head(status, line, kept, request_id))

    def on_body(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None or self._complete:
            self._excess = True
            return
        self._left -= len(data)
        self._trailing = 0
        if self._declined is None:
            self._out.append(b"%x\r\n%b\r\n" % (len(data), data) if exchange.response_chunked else data)

    def on_message_complete(self) -> None:
        exchange = self.exchange
        if self._interim:
            if exchange is not None and exchange.status == SWITCHING and not self._parser.should_upgrade():
                raise Malformed("101 without an upgrade")
            self._interim = False
            self._in_head = True
        elif exchange is not None and not self._complete:
            self._complete = True
            if exchange.response_chunked and self._declined is None:
                self._out.append(b"0\r\n%b\r\n" % (heads.trailer_lines(self._trailers) if self._trailers else b""))

    # What a head means

    def _on_interim(self, exchange: "ProxyExchange", status: int, kept: list[bytes], request_id: bytes | None) -> None:
        self._interims += 1
        if self._interims > MAX_INTERIM:
            raise Malformed("too many interim answers")
        self._in_head = False
        self._interim = True
        self._head_bytes = 0
        if status == SWITCHING:
            if not exchange.upgrade:
                raise Malformed("an upgrade nobody asked for")
            exchange.status = SWITCHING
            exchange.response_started = True
            lines = b"".join(kept)
            self._out.append(
                b"HTTP/1.1 101 Switching Protocols\r\n%bConnection: Upgrade\r\nUpgrade: %b\r\nX-Request-Id: %b\r\n\r\n"
                % (lines, exchange.upgrade, request_id or exchange.request_id)
            )
        elif status == EARLY_HINTS:
            exchange.interim(b"HTTP/1.1 103 Early Hints\r\n%b\r\n" % b"".join(kept))

    def _moves_on(self, exchange: "ProxyExchange", refused: bytes) -> bool:
        """Whether the request goes elsewhere; if so the rest of this answer is read and dropped."""
        try:
            how = RefusedBy(refused.decode("latin-1"))
        except ValueError:
            return False
        upstream = exchange.upstream
        spared = how in MOVES_ON or (
            how is RefusedBy.FAILED and upstream is not None and upstream.dispatch.spares(exchange)
        )
        if not spared or not exchange.replayable:
            return False
        self._declined = how
        return True

    def _framed(self, exchange: "ProxyExchange", found: Framing) -> bytes:
        """Read the body as `found` says; the line for the client's head."""
        if found.over:
            self._complete = True
            self._parser = HttpResponseParser(self)  # the old one may wait for a body
            return found.line
        if found.until_close:
            self._until_close = True
            self._keep_alive = False
        if found.chunked:
            exchange.response_chunked = True
        else:
            exchange.keep_alive = False
        return found.line

    def _upgraded(self, exchange: "ProxyExchange", rest: bytes) -> None:
        """The instance speaks another protocol from here on."""
        if exchange.status != SWITCHING:
            self._fail(exchange, "the instance's answer is not HTTP: an upgrade nobody asked for")
            return
        self._pass_on(exchange)
        self.flush()
        self.endpoint.closed(self)
        open_tunnel(exchange, self.transport, rest)
