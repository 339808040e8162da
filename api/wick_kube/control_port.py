"""One POST to a pod's control port, on a connection of its own: the call that every start from zero waits for.

Ours because it is on the path of each cold start: aiohttp takes 2.2 ms for such a call to an idle server on loopback,
1.6 of them this process's, and this 1.0 and 0.6 (medians of 200, uvloop, one core for both sides).

It understands what the runtime's server sends: HTTP/1.1 with a `Content-Length`. Anything else is an error.
"""

import asyncio
from typing import cast

LONGEST_ANSWER = 1_048_576
"""Bytes of an answer, head and body; a traceback of an import is far shorter."""
CONNECT = 1.0
"""Seconds until a pod that does not even take a connection is given up."""

_END = b"\r\n\r\n"


class ControlPortBroken(Exception):
    """No answer that makes sense; the message says why."""


class _Answer(asyncio.Protocol):
    """Writes the request as soon as there is a connection, and reads one answer."""

    def __init__(self, request: bytes) -> None:
        self.done: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self._request = request
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        self._read += data
        try:
            found = parse(self._read)
        except ControlPortBroken as broken:
            self._end(broken)
        else:
            if found is not None and not self.done.done():
                self.done.set_result(found)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(ControlPortBroken(str(exc) if exc else "the connection was closed before the end of the answer"))

    def _end(self, broken: ControlPortBroken) -> None:
        if not self.done.done():
            self.done.set_exception(broken)
            self.done.exception()  # nobody may be waiting any more


def parse(read: bytes) -> tuple[int, bytes] | None:
    """Status and body of what was read so far, or None where more is to come; raises `ControlPortBroken`."""
    if len(read) > LONGEST_ANSWER:
        raise ControlPortBroken(f"the answer is longer than {LONGEST_ANSWER} bytes")
    head, end, body = read.partition(_END)
    if not end:
        return None
    first, *fields = head.split(b"\r\n")
    version, _, rest = first.partition(b" ")
    lengths = [value.strip() for name, _, value in (field.partition(b":") for field in fields) if _is_length(name)]
    if version != b"HTTP/1.1" or not rest[:3].isdigit() or len(lengths) != 1 or not lengths[0].isdigit():
        raise ControlPortBroken("the answer is not HTTP/1.1 with a Content-Length")
    length = int(lengths[0])
    return (int(rest[:3]), body[:length]) if len(body) >= length else None


def _is_length(name: bytes) -> bool:
    return name.lower() == b"content-length"


async def post(host: str, port: int, path: str, token: str, body: bytes, within: float) -> tuple[int, bytes]:
    """Status and body of the answer to this JSON.

    `ControlPortBroken` or `OSError` where there is none, or no connection in `CONNECT`; ``TimeoutError`` where it does
    not come `within` so many seconds.
    """
    authority = f"[{host}]" if ":" in host else host
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {authority}:{port}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(within):
        try:
            async with asyncio.timeout(CONNECT):
                transport, answer = await loop.create_connection(lambda: _Answer(head.encode() + body), host, port)
        except TimeoutError as error:
            raise ControlPortBroken(f"no connection in {CONNECT:g} s") from error
        try:
            return await answer.done
        finally:
            transport.abort()
