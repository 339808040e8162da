"""WebSocket (RFC 6455) for ASGI applications: handshake, frames, close.

The codec is `MessageReader`: bytes in, messages out, no IO. The server never masks and accepts only masked frames;
text is checked to be UTF-8; fragments are joined up to `MAX_MESSAGE`; extensions are not offered.
"""

import asyncio
import base64
import hashlib
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wick_runtime.http.head import checked, render
from wick_runtime.http.message.refusal import ErrorAnswer, Headers, bad_request
from wick_runtime.run.failure import departed

if TYPE_CHECKING:
    from wick_runtime.http.exchange import Exchange
    from wick_runtime.run.async_handlers import AsyncRun

VERSION: Final = b"13"
MAX_MESSAGE: Final = 16_777_216
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
NORMAL, GOING_AWAY, PROTOCOL_ERROR, NO_STATUS, ABNORMAL, BAD_DATA, TOO_BIG, INTERNAL = (
    1000, 1001, 1002, 1005, 1006, 1007, 1009, 1011,
)  # fmt: skip


REGISTERED: Final = frozenset((*range(1000, 1004), *range(1007, 1015)))
"""Codes below 3000 that a close frame may carry (RFC 6455, 7.4.1, and IANA's registry); 1005, 1006, 1015 never may."""
MAX_REASON: Final = 123
"""Bytes of a close frame's reason: a control frame has 125 (RFC 6455, 5.5), two of them the code."""


class Bad(Exception):
    """The peer broke the protocol; `code` is what to close with."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Frame(NamedTuple):
    """A whole message, or a control frame."""

    kind: int
    data: bytes


def pack(kind: int, data: bytes) -> bytes:
    """An unmasked frame, as a server sends it."""
    size = len(data)
    if size < 126:  # noqa: PLR2004 - RFC 6455, 5.2
        return bytes([0x80 | kind, size]) + data
    if size < 65536:  # noqa: PLR2004 - RFC 6455, 5.2
        return struct.pack("!BBH", 0x80 | kind, 126, size) + data
    return struct.pack("!BBQ", 0x80 | kind, 127, size) + data


class MessageReader:
    """Cuts a client's bytes into messages."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._kind = 0
        self._parts = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Every message that is whole now; raises `Bad`."""
        self._bytes += data
        while (frame := self._frame()) is not None:
            fin, kind, payload = frame
            if kind >= CLOSE:
                yield Frame(kind, payload)
                continue
            if (kind == CONTINUATION) != bool(self._kind):
                raise Bad(PROTOCOL_ERROR, "fragments out of order")
            self._kind = self._kind or kind
            self._parts += payload
            if len(self._parts) > MAX_MESSAGE:
                raise Bad(TOO_BIG, "message too large")
            if fin:
                message = Frame(self._kind, bytes(self._parts))
                self._kind = 0
                self._parts = bytearray()
                yield message

    def _frame(self) -> tuple[bool, int, bytes] | None:
        head = self._bytes
        if len(head) < 2:  # noqa: PLR2004 - the fixed part
            return None
        fin, kind, size = bool(head[0] & 0x80), head[0] & 0x0F, head[1] & 0x7F
        _check(head, fin=fin, kind=kind, size=size)
        start = 2 + {126: 2, 127: 8}.get(size, 0)
        if len(head) < start + 4:
            return None
        if start > 2:  # noqa: PLR2004 - an extended length
            size = int.from_bytes(head[2:start], "big")
        if size > MAX_MESSAGE:
            raise Bad(TOO_BIG, "frame too large")
        end = start + 4 + size
        if len(head) < end:
            return None
        payload = unmask(bytes(head[start + 4 : end]), bytes(head[start : start + 4]))
        del head[:end]
        return fin, kind, payload


def _check(head: bytearray, *, fin: bool, kind: int, size: int) -> None:
    if head[0] & 0x70:
        raise Bad(PROTOCOL_ERROR, "reserved bits")
    if not head[1] & 0x80:
        raise Bad(PROTOCOL_ERROR, "a client's frames are masked")
    if kind not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
        raise Bad(PROTOCOL_ERROR, "unknown opcode")
    if kind >= CLOSE and (not fin or size > 125):  # noqa: PLR2004 - RFC 6455, 5.5
        raise Bad(PROTOCOL_ERROR, "a control frame is short and whole")


def legal_code(code: int) -> bool:
    """Whether a close frame may carry this code (RFC 6455, 7.4)."""
    return code in REGISTERED or 3000 <= code < 5000  # noqa: PLR2004 - of libraries and applications


def closing(body: bytes) -> tuple[int, str]:
    """Code and reason of a close frame's body (RFC 6455, 5.5.1); raises `Bad`."""
    if not body:
        return NO_STATUS, ""
    code = int.from_bytes(body[:2], "big")
    if not legal_code(code):  # as one byte alone never is
        raise Bad(PROTOCOL_ERROR, "a close frame without a code that may be sent")
    try:
        return code, body[2:].decode()
    except UnicodeDecodeError as error:
        raise Bad(BAD_DATA, "the reason is not UTF-8") from error


def close_body(code: int, reason: str) -> bytes:
    """The body of a close frame; its reason is cut between two characters. Raises `ValueError`."""
    if not legal_code(code):
        raise ValueError(f"{code} is no code to close a WebSocket with (RFC 6455, 7.4)")
    cut = reason.encode()[:MAX_REASON].decode(errors="ignore")
    return struct.pack("!H", code) + cut.encode()


def unmask(data: bytes, key: bytes) -> bytes:
    """XOR with the repeated key, as one big number: far quicker than byte by byte."""
    size = len(data)
    mask = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")


def is_handshake(exchange: "Exchange") -> bool:
    """Whether a request asks for a WebSocket; one with a body is answered over HTTP (RFC 9110, 7.8)."""
    if not exchange.upgrades or exchange.body_apart:
        return False
    return b"websocket" in _tokens(exchange, b"upgrade") and b"upgrade" in _tokens(exchange, b"connection")


def _tokens(exchange: "Exchange", wanted: bytes) -> set[bytes]:
    """The lower-case members of a field's list."""
    values = [value.lower() for name, value in exchange.headers if name == wanted]
    return {member.strip(b" \t") for value in values for member in value.split(b",")}


def _acceptable(exchange: "Exchange", headers: dict[bytes, bytes]) -> bool:
    """Whether the handshake is one that RFC 6455, 4.2.1, allows, whatever its version."""
    if exchange.method != "GET" or exchange.http10:
        return False
    try:
        return len(base64.b64decode(headers.get(b"sec-websocket-key", b""), validate=True)) == 16  # noqa: PLR2004 - bytes
    except ValueError:
        return False


def _refuse_version(exchange: "Exchange") -> None:
    """Name the version that is spoken (RFC 6455, 4.2.2 and 4.4; RFC 9110, 15.5.22)."""
    refusal = ErrorAnswer(426, "bad-request", "only version 13 of WebSocket is spoken here")
    spoken = [(b"sec-websocket-version", VERSION), (b"upgrade", b"websocket"), (b"connection", b"upgrade")]
    body = refusal.body(exchange.connection.server.function, exchange.request_id.decode("latin-1"))
    exchange.respond(refusal.status, [*refusal.headers(), *spoken], body)


async def serve(app: Callable[..., Awaitable[None]], run: "AsyncRun", scope: dict[str, Any]) -> None:
    """Run the application on a WebSocket."""
    headers = dict(run.exchange.headers)
    if not _acceptable(run.exchange, headers):
        run.exchange.refuse(bad_request("not a WebSocket handshake in HTTP/1.1"))
        return
    if headers.get(b"sec-websocket-version") != VERSION:
        _refuse_version(run.exchange)
        return
    protocols = headers.get(b"sec-websocket-protocol", b"").decode("latin-1")
    scope["subprotocols"] = [name.strip() for name in protocols.split(",") if name.strip()]
    socket = _Socket(run, headers[b"sec-websocket-key"])
    try:
        await app(scope, socket.receive, socket.send)
        socket.close(NORMAL)
    except asyncio.CancelledError:
        socket.close(GOING_AWAY)
        raise
    except BaseException as error:
        if socket.left and departed(error):
            return
        if socket.opened:  # before, the answer is that of any request whose handler raised
            socket.close(INTERNAL)
        raise


class _Socket:
    """`receive` and `send` of one WebSocket."""

    def __init__(self, run: "AsyncRun", key: bytes) -> None:
        self._run = run
        self._key = key
        self._frames = MessageReader()
        self._inbox: deque[dict[str, Any]] = deque([{"type": "websocket.connect"}])
        self._open = False
        self._closed = False
        self.left = False
        """The client said goodbye."""

    async def receive(self) -> dict[str, Any]:
        while not self._inbox:
            if self._run.gone or self._closed:
                return {"type": "websocket.disconnect", "code": ABNORMAL, "reason": ""}
            await self._run.news()
        return self._inbox.popleft()

    async def send(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            self._accept(message)
        elif kind == "websocket.close":
            self.close(message.get("code") or NORMAL, message.get("reason") or "")
        elif kind == "websocket.send" and self._open and not self._closed:
            text = message.get("text")
            data = text.encode() if text is not None else message.get("bytes") or b""
            self._run.exchange.connection.send(pack(TEXT if text is not None else BINARY, data))
            await self._run.drained()

    @property
    def opened(self) -> bool:
        return self._open

    def close(self, code: int, reason: str = "") -> None:
        """Refuse the handshake, or say goodbye."""
        exchange = self._run.exchange
        if self._closed or exchange.ended:
            return
        if not self._open:
            self._closed = True
            exchange.keep_alive = False
            exchange.respond(403, [], b"")
            return
        body = close_body(code, reason)
        self._closed = True
        exchange.connection.send(pack(CLOSE, body))
        exchange.ended = True
        exchange.connection.close()

    def _accept(self, message: dict[str, Any]) -> None:
        accept = base64.b64encode(hashlib.sha1(self._key + _GUID, usedforsecurity=False).digest())
        headers: Headers = [(b"sec-websocket-accept", accept)]
        if message.get("subprotocol"):
            headers.append((b"sec-websocket-protocol", message["subprotocol"].encode()))
        headers += checked([(bytes(name), bytes(value)) for name, value in message.get("headers", ())])
        exchange = self._run.exchange
        exchange.started = True
        head = render(101, [(b"upgrade", b"websocket"), (b"connection", b"Upgrade"), *headers])
        self._open = True
        self._run.endless()
        exchange.connection.upgrade(head + b"\r\n", self._received)

    def _received(self, data: bytes) -> None:
        try:
            for frame in self._frames.feed(data):
                self._heard(frame)
                if self._closed:
                    break  # nothing counts behind a close frame (RFC 6455, 5.5.1)
        except Bad as problem:
            self._left(problem.code, str(problem))
            self.close(problem.code, str(problem))
        self._run.wake()

    def _heard(self, frame: Frame) -> None:
        if frame.kind == PING:
            self._run.exchange.connection.send(pack(PONG, frame.data))
        elif frame.kind == CLOSE:
            code, reason = closing(frame.data)
            self._left(code, reason)
            self.close(NORMAL if code == NO_STATUS else code)
        elif frame.kind == TEXT:
            try:
                self._inbox.append({"type": "websocket.receive", "text": frame.data.decode()})
            except UnicodeDecodeError as error:
                raise Bad(BAD_DATA, "text is not UTF-8") from error
        elif frame.kind == BINARY:
            self._inbox.append({"type": "websocket.receive", "bytes": frame.data})

    def _left(self, code: int, reason: str) -> None:
        self.left = True
        self._inbox.append({"type": "websocket.disconnect", "code": code, "reason": reason})
