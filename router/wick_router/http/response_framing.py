"""How long an answer's body is, decided once from its head (RFC 9112, 6.3), and how the client is told."""

from typing import NamedTuple

SWITCHING, EARLY_HINTS, OK, NO_CONTENT, UPGRADE_REQUIRED = 101, 103, 200, 204, 426
NO_BODY = frozenset((204, 304))


class Malformed(Exception):
    """An answer that breaks HTTP in a way the parser does not see."""


class Framing(NamedTuple):
    """Where the body ends."""

    line: bytes
    """For the client's head, with line end; empty when the end of the connection will tell."""
    over: bool = False
    """With the head: there is no body, whatever length it claims."""
    chunked: bool = False
    """The client reads chunks."""
    until_close: bool = False
    """When the instance closes its side."""


def framing(status: int, method: bytes, minor: int, length: bytes | None, coding: bytes | None) -> Framing:
    """Of a final answer to `method` of a client that speaks HTTP/1.`minor`; `Malformed` when the end is not sure.

    `length` and `coding` are the values of ``Content-Length`` and ``Transfer-Encoding``. A counted body that does come
    is not asked about here: the parser has checked its length.
    """
    if coding is not None and (coding.lower() != b"chunked" or length is not None):
        raise Malformed("its length is told in two ways, or in an unknown one")
    if method == b"HEAD" or status in NO_BODY:
        return Framing(_of_no_body(status, minor, length, coding), over=True)
    if minor:
        return Framing(b"Transfer-Encoding: chunked\r\n", chunked=True, until_close=coding is None)
    return Framing(b"", until_close=coding is None)


def _of_no_body(status: int, minor: int, length: bytes | None, coding: bytes | None) -> bytes:
    """What a GET would have been told."""
    if status == NO_CONTENT:
        return b""
    if length is not None:
        return b"Content-Length: %b\r\n" % length
    return b"Transfer-Encoding: chunked\r\n" if coding is not None and minor else b""
