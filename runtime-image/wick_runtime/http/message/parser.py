"""Which parser reads requests: httptools (llhttp) where it is installed, else our own of the same strictness.

Both call the same methods of their protocol (``on_message_begin``, ``on_url``, ``on_header``,
``on_headers_complete``, ``on_body``, ``on_message_complete``) and answer the same questions about the head.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from wick_runtime.http.message.callbacks import Callbacks


class Parser(Protocol):
    """What a connection asks of one."""

    def feed_data(self, data: bytes) -> None: ...
    def get_method(self) -> bytes: ...
    def get_http_version(self) -> str: ...
    def should_keep_alive(self) -> bool: ...
    def should_upgrade(self) -> bool: ...


class ParseProblem(NamedTuple):
    """Why bytes could not be read on."""

    message: str
    upgrade: bool = False
    """Not a fault: the client asked to change protocols, and `offset` is where HTTP ended."""
    offset: int = 0


class Kit(NamedTuple):
    """A parser implementation."""

    name: str
    make: Callable[[Callbacks], Parser]
    errors: tuple[type[Exception], ...]
    """What `feed_data` raises."""
    explain: Callable[[Exception], ParseProblem]
    """One of `errors` in words; raises it again when it is our own fault."""


def choose(wanted: str = "") -> Kit:
    """The best installed; `wanted` names ``httptools`` or ``python`` to insist."""
    if wanted != "python":
        try:
            return _httptools()
        except ImportError:
            if wanted:
                raise
    from wick_runtime.http.message.reader import BadRequest, Reader, Upgraded  # noqa: PLC0415 - only where it is needed

    def explain(error: Exception) -> ParseProblem:
        if isinstance(error, Upgraded):
            return ParseProblem("", upgrade=True, offset=error.args[0])
        return ParseProblem(str(error))

    return Kit("python", Reader, (BadRequest, Upgraded), explain)


def _httptools() -> Kit:
    from httptools import (  # noqa: PLC0415 - optional
        HttpParserCallbackError,
        HttpParserError,
        HttpParserUpgrade,
        HttpRequestParser,
    )

    def explain(error: Exception) -> ParseProblem:
        if isinstance(error, HttpParserUpgrade):
            return ParseProblem("", upgrade=True, offset=error.args[0])
        if isinstance(error, HttpParserCallbackError):  # raised by one of our own callbacks, not by the bytes
            raise error.__context__ or error from None
        return ParseProblem(str(error) or "the bytes are not HTTP/1.1")

    return Kit("httptools", HttpRequestParser, (HttpParserError, HttpParserUpgrade), explain)
