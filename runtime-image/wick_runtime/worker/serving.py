"""An asynchronous worker at work: its event loop serves the data port and runs the handlers.

It tells the control process of every connection, with a duplicate of its descriptor, before a byte is read from it;
so when this process dies, somebody still holds the clients and can answer them.
"""

import asyncio
import os
import socket
import time
from typing import Any, Final

from wick_runtime.forms import adapters
from wick_runtime.http.message.parser import choose
from wick_runtime.http.server import Server, ServerSettings
from wick_runtime.ipc.channel import Channel, Closed
from wick_runtime.loop import run
from wick_runtime.run import leftover, load_position
from wick_runtime.run.admission import Admission
from wick_runtime.run.async_handlers import AsyncApplication, Inline
from wick_runtime.run.finalization import FINALIZATION
from wick_runtime.run.integrity import end_process, noticed
from wick_runtime.run.load import LoadError, failure
from wick_runtime.worker.code import Code, Shared

ACCEPTED: Final = 0.05
"""Seconds from the last accept to a replaced process's end: connections become known to the control process."""
PARTING: Final = 0.5
"""Seconds between cancelling what outlived the grace period and ending without it."""


def serve(code: Code, channel: Channel, shared: Shared) -> int:
    """Until drained."""
    return run(_Serving(code, channel, shared).main(), shared.loop)


class _Keeper:
    """The control process, as the connections know it."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def opened(self, slot: int, fd: int) -> None:
        self._channel.send({"op": "opened", "slot": slot}, [fd])

    def closed(self, slot: int) -> None:
        self._channel.send({"op": "closed", "slot": slot})


class _Serving:
    def __init__(self, code: Code, channel: Channel, shared: Shared) -> None:
        self._code = code
        self._channel = channel
        self._shared = shared
        self._loop: asyncio.AbstractEventLoop
        self._over: asyncio.Future[int]
        self._server: Server
        self._admission: Admission
        self._app: Inline
        self._replacing = False

    async def main(self) -> int:
        code = self._code
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(noticed)
        self._over = self._loop.create_future()
        self._admission = Admission(code.limits, self._shared.table)
        try:
            served = adapters.in_loop(code.loaded, code.form)
            await self._init(served)
        except LoadError as problem:
            self._channel.send({"op": "failed", **problem.report()})
            return 1
        locates = load_position.over(self._channel, code.target.code)
        self._shared.words.listening = False
        self._app = Inline(served, self._admission, code.identity, streams=code.form.streams, debug=code.target.debug)
        self._app.replace = self._replace
        settings = ServerSettings(code.target.function, code.limits.timeout, self._shared.patience)
        self._server = Server(
            self._app, choose(self._shared.parser), self._shared.table, settings, _Keeper(self._channel)
        )
        self._app.bind(self._server)
        await self._server.listen(self._shared.listener)
        self._loop.add_reader(self._channel.fileno(), self._told)
        self._channel.send({"op": "loaded", "kind": "inline", "phases": code.phases, "locates": locates})
        result = await self._over
        await self._shut_down(served)
        return result

    async def _init(self, served: AsyncApplication) -> None:
        init = self._code.loaded.init
        start = time.monotonic()
        try:
            result: Any = init() if init is not None else None
            if hasattr(result, "__await__"):
                await result
            if served.startup is not None:
                await served.startup()
        except (Exception, SystemExit) as error:
            raise failure(error, self._code.target.code, "init failed: ") from error
        self._code.phases["init"] = (time.monotonic() - start) * 1000

    async def _shut_down(self, served: AsyncApplication) -> None:
        if served.shutdown is not None:
            await served.shutdown()
        hook = self._code.loaded.shutdown
        result: Any = hook() if hook is not None else None
        if hasattr(result, "__await__"):
            await result
        await leftover.end()

    def _told(self) -> None:
        try:
            messages = self._channel.receive(wait=False)
        except Closed:  # the control process is gone, and with it the instance
            os._exit(1)
        for message, fds in messages:
            self._obey(message, fds)

    def _obey(self, message: dict[str, Any], fds: list[int]) -> None:
        if message["op"] == "ping":
            self._channel.send({"op": "pong", "id": message["id"]})
        elif message["op"] == "adopt":
            sock = socket.socket(fileno=fds[0])
            self._adopting = self._loop.create_task(self._server.adopt(sock))
        elif message["op"] == "cut":
            self._app.cut()
            self._loop.call_later(PARTING, self._end)
        elif message["op"] == "drain":
            self._admission.draining = True
            self._draining = self._loop.create_task(self._drain())

    async def _drain(self) -> None:
        """Finish what runs; what arrives meanwhile is refused, so that a router takes it elsewhere."""
        await self._server.drain(lambda: self._admission.in_flight)
        self._end()

    def _replace(self) -> None:
        """End as at a drain, but unasked: the control process has another load the code."""
        if not self._replacing:
            self._replacing = True
            self._server.leave()
            self._loop.call_later(ACCEPTED, self._end, os.EX_SOFTWARE)
            self._loop.call_later(FINALIZATION, end_process, "what it runs at its end does not end")

    def _end(self, status: int = 0) -> None:
        self._admission.flush()
        if not self._over.done():
            self._over.set_result(status)
