"""The control port: liveness, readiness, metrics and `specialize`, over the same HTTP server as the data port."""

import json
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from wick_runtime.call.request import split
from wick_runtime.config import Woken
from wick_runtime.http.exchange import Exchange
from wick_runtime.http.message.refusal import ErrorAnswer, Headers
from wick_runtime.http.server import Server

JSON: Headers = [(b"content-type", b"application/json")]
TEXT: Headers = [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")]
MAX_BODY = 16_777_216
"""Bytes of a `specialize` body: a ConfigMap's 1 MiB of code and environment, with room for escapes."""

Reply = tuple[int, dict[str, Any]]
UNAUTHORIZED = ErrorAnswer(401, "unauthorized", "a bearer token is needed")


class ControlledInstance(Protocol):
    """What the control port tells and commands."""

    def readiness(self) -> Reply: ...
    async def liveness(self) -> Reply: ...
    def metrics(self) -> str: ...
    async def specialize(self, body: bytes, before: Mapping[str, float]) -> Reply: ...
    def authorized(self, token: str) -> bool: ...
    def pooled(self) -> bool: ...


class ControlPort:
    """The application of the control port."""

    hold = MAX_BODY
    max_body = MAX_BODY

    def __init__(
        self,
        instance: ControlledInstance,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        woken: Woken | None = None,
    ) -> None:
        self.server: Server
        self._woken = woken
        self._instance = instance
        self._spawn = spawn

    def bind(self, server: Server) -> None:
        self.server = server

    def admit(self, exchange: Exchange) -> ErrorAnswer | None:
        """Refuse before its body what will be refused: nobody without the token makes an instance gather megabytes."""
        if not _has_body(exchange):
            return None
        if split(exchange.target)[0] != b"/specialize" or exchange.method != "POST":
            return ErrorAnswer(413, "body-too-large", "only POST /specialize takes a body")
        if not self._instance.authorized(bearer(exchange.headers)):
            self._woken = None
            return UNAUTHORIZED
        if not self._instance.pooled():
            return ErrorAnswer(409, "already-specialized", "this instance has a function")
        return None

    def release(self, exchange: Exchange) -> None:
        """Nothing is counted here."""

    def begin(self, exchange: Exchange) -> None:
        path = split(exchange.target)[0]
        routes = {b"/healthz": "GET", b"/readyz": "GET", b"/metrics": "GET", b"/specialize": "POST"}
        method = routes.get(path)
        if method is None:
            exchange.refuse(
                ErrorAnswer(404, "not-found", "the control port has /healthz, /readyz, /metrics, /specialize")
            )
        elif exchange.method not in (method, "HEAD" if method == "GET" else method):
            exchange.refuse(ErrorAnswer(405, "method-not-allowed", f"{path.decode()} takes {method}"))
        elif path == b"/readyz":
            _reply(exchange, self._instance.readiness())
        elif path == b"/metrics":
            exchange.respond(200, TEXT, self._instance.metrics().encode())
        elif path == b"/healthz":
            self._spawn(self._later(exchange, self._instance.liveness()))
        else:
            self._specialize(exchange)

    def _specialize(self, exchange: Exchange) -> None:
        woken, self._woken = self._woken, None  # an order after the first finds the instance awake
        if not self._instance.authorized(bearer(exchange.headers)):
            exchange.refuse(UNAUTHORIZED)
            return
        before = {} if woken is None else {"wake": (time.monotonic() - woken.accepted) * 1000}
        self._spawn(self._later(exchange, self._instance.specialize(exchange.take_body(), before)))

    async def _later(self, exchange: Exchange, reply: Coroutine[Any, Any, Reply]) -> None:
        _reply(exchange, await reply)


def _has_body(exchange: Exchange) -> bool:
    return bool(exchange.length) or any(name == b"transfer-encoding" for name, _ in exchange.headers)


def bearer(headers: Headers) -> str:
    """The bearer token, or an empty string."""
    for name, value in headers:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            return token.strip() if scheme.lower() == "bearer" else ""
    return ""


def same(given: str, expected: str) -> bool:
    """Compare secrets in a time that does not tell how much of one was right; an empty one never fits.

    `hmac.compare_digest` does this too, and brings OpenSSL's hashes along: 0.7 MB in every instance.
    """
    ours, theirs = expected.encode(), given.encode()
    differs = len(ours) ^ len(theirs)
    for one, other in zip(ours, theirs, strict=False):
        differs |= one ^ other
    return bool(ours) and differs == 0


def _reply(exchange: Exchange, reply: Reply) -> None:
    status, body = reply
    exchange.respond(status, JSON, json.dumps(body).encode())
