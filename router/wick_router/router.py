"""The router as one object: what ``python -m wick_router`` runs and ``wick up`` embeds.

start --> serving --stop(): not ready, still serving for `drain_delay`
                      --> no new connections, idle ones closed, what is in flight finishes within `grace`
                      --> WebSockets get a close frame, the rest is cut --> stopped
"""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable
from typing import cast

from wick_api.names import Key
from wick_router.admin.api import Admin
from wick_router.backend import Backend
from wick_router.config import RouterConfig
from wick_router.proxy import exchange
from wick_router.proxy.access_log import AccessLog
from wick_router.proxy.data_plane import DataPlane
from wick_router.proxy.listeners import Listeners
from wick_router.proxy.queue_notifier import QueueNotifier
from wick_router.proxy.timeouts import TimeoutSweep
from wick_router.proxy.tracing import Tracing

log = logging.getLogger(__name__)

FORM = "interpreted" if exchange.__file__.endswith(".py") else "compiled"
"""Of the warm path; see `router/compile.py`."""

SETTLE = 0.02
"""Seconds between two looks at what is still in flight while draining."""


class Router:
    """See the module. `poked` is told of functions whose queue grows faster than a scrape would notice."""

    plane: DataPlane

    def __init__(
        self,
        config: RouterConfig,
        backend: Backend,
        poked: Callable[[Key], None] | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self.config = config
        self._tracing = tracing
        self._backend = backend
        self._poked = poked
        self._backend_task: asyncio.Task[None] | None = None
        self._admin: Admin | None = None
        self.ready = False

    @property
    def port(self) -> int:
        """The internal data port in use."""
        return self._listeners.port

    @property
    def public_port(self) -> int:
        """The public data port in use; 0 without one."""
        return self._listeners.public_port

    @property
    def tls_port(self) -> int:
        """The HTTPS port in use, 0 without TLS."""
        return self._listeners.tls_port

    @property
    def admin_port(self) -> int:
        """The admin port in use; 0 without an admin API."""
        return self._admin.port if self._admin else 0

    async def start(self) -> None:
        """Listen and serve; `OSError` when an address is taken."""
        self._poker = QueueNotifier(self.config.poke_host, self.config.poke_port, self._poked)
        self.plane = DataPlane(self.config, self._backend, self._poker)
        if self.config.access_log:
            self.plane.access = AccessLog(self.config.access_log, sys.stdout.buffer)
        self.plane.tracing = self._tracing
        self._listeners = Listeners(self.plane)
        await self._listeners.open()
        self._sweep = TimeoutSweep(self.plane)
        self._sweep.start()
        self._backend_task = asyncio.create_task(self._backend.run(self.plane), name="backend")
        if self.config.admin_port >= 0:
            self._admin = Admin(self.plane, self.config, lambda: self.ready)
            await asyncio.to_thread(self._admin.start)
        self.ready = True
        log.info("serving on %s:%d, %s", self.config.host, self.port, FORM)

    async def run(self, stopping: asyncio.Event | None = None) -> None:
        """Start, serve until `stopping` is set, drain as configured, end. A backend that fails ends the router too."""
        await self.start()
        backend = cast("asyncio.Task[None]", self._backend_task)
        told = asyncio.create_task((stopping or asyncio.Event()).wait())
        try:
            await asyncio.wait((told, backend), return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
            failed = backend.done()
            await self.stop(delay=0 if failed else self.config.drain_delay, grace=0 if failed else self.config.grace)
        if failed:
            backend.result()

    async def stop(self, *, delay: float = 0.0, grace: float = 0.0) -> None:
        """Drain and end; `delay` and `grace` in seconds, see the module."""
        self.ready = False
        self.plane.draining = True
        if delay:
            await asyncio.sleep(delay)
        self._listeners.close()
        for client in list(self.plane.clients):
            if client.exchange is None and not client.head_since:
                client.finish(clean=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._nothing_live()
        await self.plane.stop()
        self._sweep.stop()
        await self._poker.stop()
        if self.plane.access is not None:
            await asyncio.to_thread(self.plane.access.stop)
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.stop)
        if self._backend_task is not None:
            self._backend_task.cancel()
            await asyncio.gather(self._backend_task, return_exceptions=True)
        if self._admin is not None:
            await asyncio.to_thread(self._admin.stop)

    async def _nothing_live(self) -> None:
        while self.plane.live:  # noqa: ASYNC110 - an event would cost every request a check
            await asyncio.sleep(SETTLE)
