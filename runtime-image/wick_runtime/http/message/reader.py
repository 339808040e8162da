"""An HTTP/1.1 request parser in Python, for where httptools is not installed; as strict as llhttp without leniencies.

Line by line, with the state kept between feeds::

    START -> HEADERS -> LENGTH body ------------------+
                 |----> CHUNK_SIZE <-> CHUNK -> TRAILERS -+-> START
                 +----> no body ----------------------+

A line ends in CR LF; a bare LF, a bare CR, folded headers, white space around a header's name, control characters
and anything but digits in a length are errors. Hypothesis and a corpus hold both parsers to the same verdicts.
"""

import re
from typing import Final

from wick_runtime.http.message.callbacks import Callbacks

METHODS: Final = frozenset(
    b"DELETE GET HEAD POST PUT CONNECT OPTIONS TRACE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND "
    b"UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK "
    b"UNLINK SOURCE QUERY".split()
)
"""The methods llhttp knows."""

_REQUEST_LINE: Final = re.compile(
    rb"([A-Z-]+) +((?:[/*]|[A-Za-z]+://|[\w.-]+:)[\x21-\x7e]*)(?: +HTTP/([0-9])\.([0-9]))?\Z"
)
_FIELD: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)\Z")
_NAME: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]*"
_QUOTED: Final = rb"\"(?:[^\"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])*\""
_CHUNK: Final = re.compile(
    rb"(0*[0-9a-fA-F]{1,16})(?:;" + _NAME + rb"(?:=" + _NAME + rb"(?:" + _QUOTED + rb")?)?)*(?<!;)\Z"
)
"""A size and its extensions, of which llhttp takes any without a name and none with white space (RFC 9112, 7.1.1)."""
_MAX_LINE: Final = 65536
_MAX_LENGTH_DIGITS: Final = 19

_START, _HEADERS, _LENGTH, _CHUNK_SIZE, _CHUNK_DATA, _CHUNK_END, _TRAILERS = range(7)


class BadRequest(Exception):
    """The bytes are not a request."""


class Upgraded(Exception):
    """The client asked to leave HTTP; the argument is the offset of the first byte that is not HTTP."""


class Reader:
    """See the module."""

    def __init__(self, callbacks: Callbacks) -> None:
        self._to = callbacks
        self._bytes = bytearray()
        self._state = _START
        self._left = 0
        self._scanned = 0
        self._begin()

    def _begin(self) -> None:
        self._state = _START
        self._method = b""
        self._version = ""
        self._length: int | None = None
        self._chunked = False
        self._options: set[bytes] = set()
        self._upgrade = False
        self._tab = False
        self._broken = False

    def get_method(self) -> bytes:
        return self._method

    def get_http_version(self) -> str:
        return self._version

    def should_keep_alive(self) -> bool:
        if self._version == "1.1":
            return b"close" not in self._options
        return b"keep-alive" in self._options and b"close" not in self._options

    def should_upgrade(self) -> bool:
        return self._method == b"CONNECT" or (self._upgrade and b"upgrade" in self._options)

    def feed_data(self, data: bytes) -> None:
        """Call back for what `data` completes; raises `BadRequest` once and for ever, and `Upgraded`."""
        if self._broken:
            raise BadRequest("the stream was already broken")
        self._bytes += data
        try:
            while self._step():
                pass
        except BadRequest:
            self._broken = True
            raise
        except Upgraded:
            raise Upgraded(len(data) - len(self._bytes)) from None

    def _step(self) -> bool:
        """Take one line, or a run of body; False when more bytes are needed."""
        if self._state in (_LENGTH, _CHUNK_DATA):
            return self._data()
        line = self._line()
        if line is None:
            return False
        if self._state == _START:
            self._request_line(line)
        elif self._state in (_HEADERS, _TRAILERS):
            self._field(line) if line else self._head_end()
        elif self._state == _CHUNK_SIZE:
            self._chunk_size(line)
        elif line:
            raise BadRequest("a chunk is longer than it says")
        else:
            self._state = _CHUNK_SIZE
        return True

    def _line(self) -> bytes | None:
        if self._state == _START and self._bytes.startswith(
            (b"\r", b"\n")
        ):  # RFC 9112, 2.2: empty lines before a request
            self._bytes = self._bytes.lstrip(b"\r\n")
            self._scanned = 0
        end = self._bytes.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(self._bytes)
            if self._scanned > _MAX_LINE and self._state in (_CHUNK_SIZE, _CHUNK_END):
                raise BadRequest("a chunk header is too long")
            self._hint()
            return None
        if end == 0 or self._bytes[end - 1] != 13:  # noqa: PLR2004 - CR
            raise BadRequest("a line ends without CR")
        line = bytes(self._bytes[: end - 1])
        del self._bytes[: end + 1]
        self._scanned = 0
        return line

    def _hint(self) -> None:
        """A head has begun to arrive."""
        begun = self._bytes if self._state == _START else b""
        if begun and not begun[:1].isupper():
            raise BadRequest("a request begins with a method")
        if begun:
            self._message_begin()

    def _message_begin(self) -> None:
        if not self._method:
            self._method = b"?"
            self._to.on_message_begin()

    def _request_line(self, line: bytes) -> None:
        self._message_begin()
        match = _REQUEST_LINE.match(line)
        if match is None or match[1] not in METHODS:
            raise BadRequest("the request line is not METHOD target HTTP/1.1")
        self._method = match[1]
        self._version = f"{match[3].decode()}.{match[4].decode()}" if match[3] else "0.9"
        if self._version not in ("1.0", "1.1", "0.9", "2.0"):
            raise BadRequest("Invalid HTTP version")
        self._to.on_url(match[2])
        self._state = _HEADERS

    def _field(self, line: bytes) -> None:
        match = _FIELD.match(line)
        if match is None:
            raise BadRequest("a header line is malformed")
        name, value = match[1], match[2].rstrip(b" \t")
        if self._state == _HEADERS:
            self._tab = self._tab or (name.lower() == b"transfer-encoding" and b"\t" in match[2][len(value) :])
            self._framing(name.lower(), value)
        elif name.lower() in (b"content-length", b"transfer-encoding"):
            raise BadRequest("a trailer frames nothing")
        self._to.on_header(name, value)

    def _framing(self, name: bytes, value: bytes) -> None:
        if name == b"content-length":
            if not value.isdigit() or len(value) > _MAX_LENGTH_DIGITS or self._length is not None or self._chunked:
                raise BadRequest("Content-Length is not one number")
            self._length = int(value)
        elif name == b"transfer-encoding":
            codings = [coding.strip(b" \t").lower() for coding in value.split(b",")]
            if self._length is not None or self._chunked or codings[-1] != b"chunked" or b"chunked" in codings[:-1]:
                raise BadRequest("Transfer-Encoding does not frame the body")
            self._chunked = True
        elif name == b"connection":
            self._options |= {option.strip(b" \t").lower() for option in value.split(b",")}
        elif name == b"upgrade":
            self._upgrade = True

    def _head_end(self) -> None:
        if self._state == _TRAILERS:
            self._complete()
            return
        self._to.on_headers_complete()
        if self.should_upgrade():
            self._complete()  # as llhttp does, whether a body follows or not, and before it looks how that is framed
        elif self._tab:
            raise BadRequest("a tab behind a transfer coding")  # which llhttp cannot read
        elif self._chunked:
            self._state = _CHUNK_SIZE
        elif self._length:
            self._state, self._left = _LENGTH, self._length
        else:
            self._complete()

    def _chunk_size(self, line: bytes) -> None:
        match = _CHUNK.match(line)
        if match is None:
            raise BadRequest("a chunk's size is malformed")
        self._left = int(match[1], 16)
        self._state = _CHUNK_DATA if self._left else _TRAILERS

    def _data(self) -> bool:
        if not self._bytes:
            return False
        chunk = bytes(self._bytes[: self._left])
        del self._bytes[: self._left]
        self._left -= len(chunk)
        self._to.on_body(chunk)
        if self._left == 0:
            if self._state == _CHUNK_DATA:
                self._state = _CHUNK_END
            else:
                self._complete()
        return True

    def _complete(self) -> None:
        leaves = self.should_upgrade() and self._state == _HEADERS
        self._begin()
        self._to.on_message_complete()
        if leaves:
            raise Upgraded
