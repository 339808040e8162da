"""ASGI 3 applications: HTTP with streaming both ways, WebSocket, lifespan.

`lifespan` runs as a task of its own from before the first request to the end of the drain; an application without it
is left in peace.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from wick_runtime.call.origin import HTTPS, origin
from wick_runtime.call.request import split
from wick_runtime.forms.websocket import is_handshake, serve
from wick_runtime.http.head import checked
from wick_runtime.run.async_handlers import AsyncRun, Call

if TYPE_CHECKING:
    from wick_runtime.http.message.refusal import Headers

PARTING: Final = 1.0
"""Seconds an application has, once told that its client left, before it is cancelled."""
VERSION: Final = {"version": "3.0", "spec_version": "2.4"}

Message = dict[str, Any]
App = Callable[
    [dict[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


class BrokenApp(Exception):
    """The application did not keep to the protocol."""


class Disconnected(OSError):
    """The client is gone; what ASGI says `send` may raise then."""


def in_loop(app: App, state: dict[str, Any]) -> Call:
    """The application as the event loop's; `state` is what lifespan put there."""

    async def call(run: AsyncRun) -> None:
        run.seed()
        if is_handshake(run.exchange):
            await serve(app, run, scope(run, "websocket", state))
            return
        cycle = _Cycle(run)
        await app(scope(run, "http", state), cycle.receive, cycle.send)
        cycle.check()

    return call


def scope(run: AsyncRun, kind: str, state: dict[str, Any]) -> dict[str, Any]:
    """The connection scope; `path` and `raw_path` begin with `root_path`, as ASGI's specification has them."""
    exchange = run.exchange
    path, query = split(exchange.target)
    said = origin(exchange.headers)
    secure = said.scheme == HTTPS
    found: dict[str, Any] = {
        "type": kind,
        "asgi": VERSION,
        "http_version": "1.0" if exchange.http10 else "1.1",
        "scheme": said.scheme if kind == "http" else "wss" if secure else "ws",
        "path": unquote((said.prefix + path).decode("latin-1")),
        "raw_path": said.prefix + path,
        "query_string": query,
        "root_path": said.prefix.decode("latin-1"),
        "headers": exchange.headers,
        "client": (said.client, 0) if said.client else exchange.connection.peer("peername"),
        "server": said.server or exchange.connection.peer("sockname"),
        "state": state.copy(),
        "extensions": {"kubewick": {"context": run.context, "peer": exchange.connection.peer("peername")}},
    }
    if kind == "http":
        found["method"] = exchange.method
    return found


class _Cycle:
    """`receive` and `send` of one HTTP request."""

    def __init__(self, run: AsyncRun) -> None:
        self._run = run
        self._status = 0
        self._headers: Headers = []
        self._began = False
        self._done = False
        self._body_over = False

    async def receive(self) -> Message:
        run = self._run
        if not self._body_over and not run.exchange.ended:
            piece = await run.receive()
            if not run.gone and not run.exchange.ended:
                self._body_over = run.body_ended
                return {"type": "http.request", "body": piece, "more_body": not self._body_over}
        await run.disconnected()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        kind, exchange = message["type"], self._run.exchange
        if self._run.gone:
            raise Disconnected("the client is gone")
        if kind == "http.response.start" and not self._status:
            self._status = message["status"]
            self._headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
        elif kind == "http.response.body" and self._status and not self._done:
            await self._body(message.get("body", b""), more=message.get("more_body", False))
        elif not exchange.ended:
            raise BrokenApp(f"unexpected ASGI message {kind!r}")

    async def _body(self, body: bytes, *, more: bool) -> None:
        exchange = self._run.exchange
        if not (self._began or more or exchange.head_only):  # whole, as most are: one write
            self._done = True
            headers = [pair for pair in checked(self._headers) if pair[0].lower() != b"content-length"]
            exchange.respond(self._status, headers, bytes(body))
            self._run.wake()
            return
        if not self._began:
            self._began = True
            exchange.start(self._status, self._headers)
        exchange.write(bytes(body))
        if more:
            await self._run.drained()
            return
        self._done = True
        exchange.end()
        self._run.wake()

    def check(self) -> None:
        if not self._done and not self._run.gone and not self._run.exchange.ended:
            raise BrokenApp("the ASGI application ended without a complete response")


class Lifespan:
    """The application's start and end."""

    def __init__(self, app: App) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._news: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._supported = True

    async def startup(self) -> None:
        """Raises `BrokenApp` when the application says that it failed to start."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        await self._inbox.put({"type": "lifespan.startup"})
        said = await self._news.get()
        if said["type"] == "lifespan.startup.failed":
            raise BrokenApp(said.get("message") or "the application failed to start")

    async def shutdown(self) -> None:
        if self._task is None or not self._supported or self._task.done():
            return
        await self._inbox.put({"type": "lifespan.shutdown"})
        await self._news.get()
        await self._task

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": VERSION, "state": self.state}
        try:
            await self._app(scope, self._inbox.get, self._news.put)
        except Exception:  # noqa: BLE001 - by the specification any exception means "not supported"
            self._supported = False
        await self._news.put({"type": "lifespan.ended"})
