"""A connection to an instance: carries one exchange at a time, reads its answer, and goes back to the pool.

    idle --carry--> busy --answer and request complete, both sides keep alive--> idle
                     | otherwise, or dropped by the exchange: closed
                     | 101: the socket changes hands (`splice`)

How long an answer's body is, is decided once, from its head (RFC 9112, 6.3): none, counted, chunked, or until the
instance closes. A counted body that did not come with its head is counted here and never touches the parser, so that
large answers are copied once less. A body that ends early is a failure, never an end.
"""

import asyncio
from typing import TYPE_CHECKING, cast

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpResponseParser

from wick_api.header import REFUSED
from wick_api.header import Refused as RefusedBy
from wick_router import heads
from wick_router.client import Hold
from wick_router.exchange import CONTINUE
from wick_router.splice import splice

if TYPE_CHECKING:
    from wick_router.endpoint import Endpoint
    from wick_router.exchange import Exchange

SWITCHING, EARLY_HINTS, OK, NO_CONTENT = 101, 103, 200, 204
MAX_INTERIM = 16
"""Interim (1xx) answers to one request; more is an instance gone wrong."""
REFUSED_FIELD = REFUSED.encode()
MOVES_ON = frozenset((RefusedBy.CONCURRENCY, RefusedBy.DRAINING, RefusedBy.LOADING))
UNTIL_CLOSE = -1
CHUNKED = -2
NO_BODY = frozenset((204, 304))


class Malformed(Exception):
    """An answer that breaks HTTP in a way the parser does not see."""


class InstanceConnection(asyncio.Protocol):
    """See the module."""

    transport: asyncio.Transport

    def __init__(self, endpoint: "Endpoint") -> None:
        self.endpoint = endpoint
        self.exchange: Exchange | None = None
        self.idle_since = 0.0
        self.open = False
        self._used = False
        """It has carried an exchange before, so the instance may have hung up just now without having read."""
        self._reading_paused = False
        self._fresh_answer()
        self._parser = HttpResponseParser(self)

    def _fresh_answer(self) -> None:
        self._kept: list[bytes] = []
        self._read: dict[bytes, bytes] = {}
        self._head_bytes = 0
        self._interims = 0
        self._in_head = True
        self._interim = False
        self._complete = False
        self._excess = False
        self._discard: RefusedBy | None = None
        self._keep_alive = False
        self._length = 0
        self._left = 0
        self._counting = False
        self._out: list[bytes] = []
        self._trailers: list[tuple[bytes, bytes]] = []

    # Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.write = self.transport.write
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
        if self.exchange is not None:
            self.exchange.client.hold(Hold.UPSTREAM)

    def resume_writing(self) -> None:
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

    def carry(self, exchange: "Exchange", now: float) -> None:
        """Send a request and what there is of its body."""
        self.exchange = exchange
        exchange.conn = self
        head = exchange.head(now)
        if exchange.body:
            self.write(b"".join((head, *self._framed(exchange, exchange.body))))
            if exchange.request_done and exchange.chunked:
                self.send_end(exchange.trailers)
            if exchange.received > self.endpoint.plane.config.replay_bytes:
                exchange.body = None
        else:
            self.write(head)
            if not exchange.request_done:
                exchange.body = []
            elif exchange.chunked:
                self.send_end(exchange.trailers)
        if exchange.expects and exchange.attempts == 1:
            exchange.client.write(CONTINUE)

    def send_body(self, exchange: "Exchange", data: bytes) -> None:
        """A further piece of the body."""
        if exchange.chunked:
            self.write(b"%x\r\n%b\r\n" % (len(data), data))
        else:
            self.write(data)

    def send_end(self, trailers: bytes) -> None:
        """The end of a chunked body."""
        self.write(b"0\r\n%b\r\n" % trailers)

    @staticmethod
    def _framed(exchange: "Exchange", pieces: list[bytes]) -> list[bytes]:
        if not exchange.chunked:
            return pieces
        return [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]

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
        if self._in_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._upgraded(exchange, data[upgrade.args[0] :])
            return
        except HttpParserError as error:
            if isinstance(error, HttpParserCallbackError) and not isinstance(error.__context__, Malformed):
                raise error.__context__ or error from error  # a bug of ours; the loop reports it and closes
            if not self._complete:
                self._flush(exchange)
                self._fail(exchange, f"the instance's answer is not HTTP: {error.__context__ or error}")
                return
            self._excess = True
        if self.exchange is exchange:
            self._after_feed(exchange)

    def _after_feed(self, exchange: "Exchange") -> None:
        if self._complete:
            self._finish(exchange)
            return
        if self._in_head:
            if self._head_bytes > self.endpoint.plane.config.header_bytes:
                self._fail(exchange, "the head of the instance's answer is too large")
            return
        self._flush(exchange)
        if self._length > 0 and self._left > 0 and self._discard is None:
            self._counting = True

    def _counted(self, exchange: "Exchange", data: bytes) -> None:
        left = self._left - len(data)
        if left > 0:
            self._left = left
            exchange.sent += len(data)
            client = exchange.client
            client.write(data)
            if client.write_paused:
                self.pause_reading()
            return
        if left < 0:
            self._excess = True
            data = data[: self._left]
        self._left = 0
        exchange.sent += len(data)
        exchange.client.write(data)
        self._parser = HttpResponseParser(self)
        self._finish(exchange)

    def _flush(self, exchange: "Exchange") -> None:
        out = self._out
        if out:
            client = exchange.client
            client.write(out[0] if len(out) == 1 else b"".join(out))
            self._out = []
            if client.write_paused:
                self.pause_reading()

    def _finish(self, exchange: "Exchange") -> None:
        """The answer is complete."""
        self.exchange = None
        exchange.conn = None
        self._flush(exchange)
        discard = self._discard
        if self._keep_alive and exchange.request_done and not self._excess and self.open:
            self._used = True
            self._fresh_answer()
            self.resume_reading()
            self.endpoint.put(self)
        else:
            exchange.client.release(Hold.UPSTREAM)
            self.close()
        if discard is not None:
            exchange.moved_on(discard)
        else:
            exchange.done()

    def _ended(self, exchange: "Exchange", *, reset: bool) -> None:
        """The instance closed or broke the connection."""
        if self._discard is not None:
            self._keep_alive = False
            self._finish(exchange)
            return
        if not self._in_head and self._length == UNTIL_CLOSE and not reset:
            if exchange.response_chunked:
                self._out.append(b"0\r\n\r\n")
            self._keep_alive = False
            self._finish(exchange)
            return
        what = "broke off its answer" if exchange.response_started else "closed the connection without an answer"
        stale = self._used and self._in_head and not self._head_bytes
        self._fail(exchange, f"the instance {what}", stale=stale)

    def _fail(self, exchange: "Exchange", why: str, *, stale: bool = False) -> None:
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
        if lower in heads.RESPONSE_FIELDS:
            if lower in self._read:
                value = self._read[lower] + b", " + value
            self._read[lower] = value
        elif lower[0] != heads.K or not lower.startswith(heads.INTERNAL):
            self._kept.append(b"%b: %b\r\n" % (name, value))
        elif lower == REFUSED_FIELD:
            self._read[lower] = value

    def on_headers_complete(self) -> None:
        exchange = self.exchange
        if self._complete or exchange is None:
            self._excess = True
            return
        parser = self._parser
        status = parser.get_status_code()
        read, self._read = self._read, {}
        kept, self._kept = self._kept, []
        if status < OK:
            self._on_interim(exchange, status, kept)
            return
        self._in_head = False
        self._keep_alive = parser.should_keep_alive()
        connection = read.get(b"connection")
        if connection is not None and connection.lower() not in (b"close", b"keep-alive"):
            kept = heads.without(kept, heads.tokens(connection))
        refused = read.get(REFUSED_FIELD)
        if refused is not None and self._moves_on(exchange, refused):
            return
        framing = self._framing(exchange, status, read)
        if framing is None:
            raise Malformed("the answer's framing is not sure")
        self._out.append(exchange.response_head(status, framing, kept))

    def on_body(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None or self._complete:
            self._excess = True
            return
        self._left -= len(data)
        if self._discard is None:
            exchange.sent += len(data)
            self._out.append(b"%x\r\n%b\r\n" % (len(data), data) if exchange.response_chunked else data)

    def on_message_complete(self) -> None:
        if self._interim:
            if self.exchange is not None and self.exchange.status == SWITCHING and not self._parser.should_upgrade():
                raise Malformed("101 without an upgrade")
            self._interim = False
            self._in_head = True
            return
        exchange = self.exchange
        if exchange is None or self._complete:
            return
        self._complete = True
        if exchange.response_chunked and self._discard is None:
            self._out.append(b"0\r\n%b\r\n" % (heads.trailer_lines(self._trailers) if self._trailers else b""))

    # What a head means

    def _on_interim(self, exchange: "Exchange", status: int, kept: list[bytes]) -> None:
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
                % (lines, exchange.upgrade, exchange.request_id)
            )
        elif status == EARLY_HINTS:
            exchange.interim(b"HTTP/1.1 103 Early Hints\r\n%b\r\n" % b"".join(kept))

    def _moves_on(self, exchange: "Exchange", refused: bytes) -> bool:
        """Whether the request goes elsewhere; if so the rest of this answer is read and dropped."""
        try:
            how = RefusedBy(refused.decode("latin-1"))
        except ValueError:
            return False
        if how not in MOVES_ON or not exchange.replayable:
            return False
        self._discard = how
        self._length = CHUNKED
        return True

    def _framing(self, exchange: "Exchange", status: int, read: dict[bytes, bytes]) -> bytes | None:
        """The line that says how long the body is; None when that is not sure."""
        length, coding = read.get(b"content-length"), read.get(b"transfer-encoding")
        if (length is not None and not length.isdigit()) or (coding is not None and coding.lower() != b"chunked"):
            return None
        if length is not None and coding is not None:
            return None
        if exchange.method == b"HEAD" or status in NO_BODY:
            return self._no_body(exchange, status, length, coding)
        if length is not None and coding is None:
            self._length = self._left = int(length)
            return b"Content-Length: %b\r\n" % length
        if coding is None:
            self._length = UNTIL_CLOSE
            self._keep_alive = False
        else:
            self._length = CHUNKED
        if exchange.minor:
            exchange.response_chunked = True
            return b"Transfer-Encoding: chunked\r\n"
        exchange.keep_alive = False
        return b""

    def _no_body(self, exchange: "Exchange", status: int, length: bytes | None, coding: bytes | None) -> bytes:
        """The answer ends with its head, whatever length it claims: that is what a GET would have got."""
        self._complete = True
        if exchange.method == b"HEAD":
            self._parser = HttpResponseParser(self)  # the old one waits for a body
        if status == NO_CONTENT:
            return b""
        if length is not None:
            return b"Content-Length: %b\r\n" % length
        return b"Transfer-Encoding: chunked\r\n" if coding is not None and exchange.minor else b""

    def _upgraded(self, exchange: "Exchange", rest: bytes) -> None:
        """The instance speaks another protocol from here on."""
        if exchange.status != SWITCHING:
            self._fail(exchange, "the instance's answer is not HTTP: an upgrade nobody asked for")
            return
        self._flush(exchange)
        self.endpoint.forget(self)
        splice(exchange, self.transport, rest)
