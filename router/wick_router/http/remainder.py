"""A parser that begins in the middle: in the chunked body of a request whose offer to change protocols is ignored.

llhttp stops at the head of such a request and takes what follows for the other protocol (RFC 9110, 7.8 lets a server
ignore the offer; then the body follows as ever). So a new parser reads a head of ours with the same framing, unheard,
and goes on with the client's bytes: the body, its trailers, and the requests behind them.
"""

from typing import Protocol

from httptools import HttpRequestParser

_HEAD = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


class Callbacks(Protocol):
    """What the parser calls."""

    def on_url(self, url: bytes) -> None: ...
    def on_header(self, name: bytes, value: bytes) -> None: ...
    def on_headers_complete(self) -> None: ...
    def on_body(self, data: bytes) -> None: ...
    def on_message_complete(self) -> None: ...


class Remainder:
    """Passes callbacks on from the end of our own head."""

    def __init__(self, to: Callbacks) -> None:
        self._to = to
        self.within = False

    def on_url(self, url: bytes) -> None:
        if self.within:
            self._to.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.within:
            self._to.on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.within:
            self._to.on_headers_complete()

    def on_body(self, data: bytes) -> None:
        self._to.on_body(data)

    def on_message_complete(self) -> None:
        self._to.on_message_complete()


def within_chunked_body(callbacks: Callbacks) -> HttpRequestParser:
    """The parser for what follows the head of a chunked request."""
    remainder = Remainder(callbacks)
    parser = HttpRequestParser(remainder)
    parser.feed_data(_HEAD)
    remainder.within = True
    return parser
