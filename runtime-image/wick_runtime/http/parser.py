"""Which parser reads requests: httptools (llhttp) where it is installed, else our own of the same strictness.

Both call the same methods of their protocol (``on_message_begin``, ``on_url``, ``on_header``,
``on_headers_complete``, ``on_body``, ``on_message_complete``) and answer the same questions about the head.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol


class Callbacks(Protocol):
    """What a parser calls."""

    def on_message_begin(self) -> None: ...
    def on_url(self, url: bytes) -> None: ...
    def on_header(self, name: bytes, value: bytes) -> None: ...
    def on_headers_complete(self) -> None: ...
    def on_body(self, data: bytes) -> None: ...
    def on_message_complete(self) -> None: ...


class Parser(Protocol):
    """What a connection asks of one."""

    def feed_data(self, data: bytes) -> None: ...
    def get_method(self) -> bytes: ...
    def get_http_version(self) -> str: ...
    def should_keep_alive(self) -> bool: ...


class Problem(NamedTuple):
    """Why bytes could not be read on."""

    message: str
    upgrade: bool = False
    """Not a fault: the client asked to change protocols, and `offset` is where HTTP ended."""
    offset: int = 0


class Kit(NamedTuple):
    """A parser implementation."""

    name: str
    make: Callable[[Callbacks], Parser]
    feed: Callable[[Parser, bytes], Problem | None]


def choose(wanted: str = "") -> Kit:
    """The best installed; `wanted` names ``httptools`` or ``python`` to insist."""
    if wanted != "python":
        try:
            return _httptools()
        except ImportError:
            if wanted:
                raise
    from wick_runtime.http.reader import BadRequest, Reader, Upgraded  # noqa: PLC0415 - only where it is needed

    def feed(parser: Parser, data: bytes) -> Problem | None:
        try:
            parser.feed_data(data)
        except BadRequest as problem:
            return Problem(str(problem))
        except Upgraded as upgrade:
            return Problem("", upgrade=True, offset=upgrade.args[0])
        return None

    return Kit("python", Reader, feed)


def _httptools() -> Kit:
    from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser  # noqa: PLC0415 - optional

    def feed(parser: Any, data: bytes) -> Problem | None:
        try:
            parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            return Problem("", upgrade=True, offset=upgrade.args[0])
        except HttpParserError as problem:
            if problem.__context__ is not None:  # raised by one of our own callbacks, not by the bytes
                raise problem.__context__ from None
            return Problem(str(problem) or "the bytes are not HTTP/1.1")
        return None

    return Kit("httptools", HttpRequestParser, feed)
