"""Response heads: status line, framing and headers as bytes."""

import time

from wick_runtime.http.message.refusal import REASONS, Headers

_LINES = {status: f"HTTP/1.1 {status} {text}\r\n".encode() for status, text in REASONS.items()}
_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
_INTERNAL = b"kubewick-"
ONCE = frozenset((b"date", b"server", b"x-request-id"))
"""Fields that a response has once. The server adds the first and the last where the function gives none."""
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_BAD = (b"\r", b"\n", b"\0")


class InvalidHeader(ValueError):
    """A header a function wanted to send that would break the response."""


def status_line(status: int) -> bytes:
    return _LINES.get(status) or f"HTTP/1.1 {status} \r\n".encode()


def bodiless(status: int) -> bool:
    """Whether a response with this status never has a body."""
    return status < 200 or status in (204, 304)  # noqa: PLR2004 - RFC 9110, 6.4.1


def checked(headers: Headers) -> Headers:
    """Drop what only the server may say: about the connection, and to the router. `InvalidHeader` for the unsendable.

    A function that copies into its answer what a caller sent must not tell the router in its name that no code ran.
    """
    for name, value in headers:
        if not name or b":" in name or b" " in name or any(bad in name or bad in value for bad in _BAD):
            raise InvalidHeader(f"header {name!r}: {value!r} cannot be sent")
    return [pair for pair in headers if (lower := pair[0].lower()) not in _HOP and not lower.startswith(_INTERNAL)]


def render(status: int, headers: Headers) -> bytes:
    """The head up to and without the empty line."""
    return status_line(status) + b"".join([name + b": " + value + b"\r\n" for name, value in headers])


def render_whole(status: int, headers: Headers, date: bytes, request_id: bytes) -> bytes:
    """The head as `render` makes it, with the server's own lines; of `ONCE` the function's first line alone counts."""
    lines, given = [status_line(status)], set()
    for name, value in headers:
        lower = name.lower()
        if lower in ONCE:
            if lower in given:
                continue
            given.add(lower)
        lines.append(name + b": " + value + b"\r\n")
    if b"date" not in given:
        lines.append(date)
    if b"x-request-id" not in given:
        lines.append(b"x-request-id: " + request_id + b"\r\n")
    return b"".join(lines)


def _date(at: time.struct_time) -> bytes:
    """RFC 9110, 5.6.7; `email.utils.formatdate` says the same, and costs 11 ms to import."""
    day, month = _DAYS[at.tm_wday], _MONTHS[at.tm_mon - 1]
    return (
        f"date: {day}, {at.tm_mday:02} {month} {at.tm_year} {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT\r\n"
    ).encode()


class Clock:
    """The ``Date`` header, made once a second."""

    def __init__(self) -> None:
        self._until = 0.0
        self._line = b""

    def date(self, now: float) -> bytes:
        """`now` is any clock in seconds; only its progress matters."""
        if now >= self._until:
            self._until = now + 1.0
            self._line = _date(time.gmtime())
        return self._line
