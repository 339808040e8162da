"""A case of the HTTP corpus: the bytes of one connection, and what a server makes of them."""

from typing import NamedTuple

HOST = b"Host: hello.default\r\n"
"""The host of a function `hello` in namespace `default`: the router finds it, and an instance takes any host."""
HELLO = b"5\r\nhello\r\n0\r\n\r\n"
"""A chunked body."""
SMUGGLED = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
"""A request that hides in a body, or behind a request that two readers could end in two places."""
GET = b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n"


class Request(NamedTuple):
    """A request as the function gets it, its target in origin form."""

    method: str = "GET"
    target: str = "/x"
    body: bytes = b""


class Case(NamedTuple):
    """See the module."""

    data: bytes
    requests: tuple[Request, ...] = ()
    """What reaches the function, in this order."""
    status: int = 0
    """Of the answer to what is refused behind them, which ends the connection; 0: nothing is refused."""
    router: int = 0
    """The router's status, where it is another one than the runtime's."""
    goes_on: bool = False
    """Another request on the same connection is answered."""


def served(data: bytes, *requests: Request) -> Case:
    """All of it reaches the function; nothing else is answered."""
    return Case(data, requests or (Request(),), goes_on=True)


def unfinished(data: bytes, *requests: Request) -> Case:
    """These requests reach the function, and the connection waits for more, or is over."""
    return Case(data, requests)


def refused(data: bytes, status: int = 400, *, after: tuple[Request, ...] = (), router: int = 0) -> Case:
    """It is answered with `status` once `after` was served, and the connection ends."""
    return Case(data, after, status, router or status)


def post(*lines: bytes, body: bytes = b"") -> bytes:
    """A POST with these header lines."""
    return b"POST /x HTTP/1.1\r\n" + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def get(*lines: bytes) -> bytes:
    """A GET with these header lines."""
    return b"GET /x HTTP/1.1\r\n" + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def chunked(body: bytes) -> bytes:
    """A POST with these bytes for its chunked body."""
    return post(b"Transfer-Encoding: chunked", body=body)


def posted(body: bytes) -> Request:
    """What the function gets of `post`."""
    return Request("POST", "/x", body)
