"""A parser that begins in the middle: in the body of a request whose offer to change protocols is ignored.

Both parsers stop at the head of such a request and take what follows for the other protocol (RFC 9110, 7.8 lets a
server ignore the offer; then the body follows as ever). So a new parser reads a head of ours with the same framing,
unheard, and goes on with the client's bytes: the body, its trailers, and the requests behind them.
"""

from wick_runtime.http.message.callbacks import Callbacks
from wick_runtime.http.message.parser import Kit, Parser

_CHUNKED = b"Transfer-Encoding: chunked"


class Remainder:
    """Passes callbacks on from the end of our own head."""

    def __init__(self, to: Callbacks) -> None:
        self._to = to
        self.within = False
        self.on_body = to.on_body
        self.on_message_complete = to.on_message_complete

    def on_message_begin(self) -> None:
        if self.within:
            self._to.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if self.within:
            self._to.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.within:
            self._to.on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.within:
            self._to.on_headers_complete()


def within_body(kit: Kit, callbacks: Callbacks, length: int | None) -> Parser:
    """The parser for what follows the head of a request with a body of `length` bytes; None: a chunked one."""
    remainder = Remainder(callbacks)
    parser = kit.make(remainder)
    parser.feed_data(
        b"POST / HTTP/1.1\r\n%b\r\n\r\n" % (_CHUNKED if length is None else b"Content-Length: %d" % length)
    )
    remainder.within = True
    return parser
