"""The data plane of one process: every connection, every function, one event loop. It is the backend's `Sink`."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wick_api.fault import Faults
from wick_api.function import Function
from wick_api.names import Key
from wick_api.reason import Reason
from wick_api.routing import Table
from wick_router.backend import Backend, Instance
from wick_router.config import RouterConfig
from wick_router.http.histogram import Histogram
from wick_router.http.refusal import RefusedRequest
from wick_router.proxy.client_connection import ClientConnection
from wick_router.proxy.corked_writer import Outbox
from wick_router.proxy.exchange import ProxyExchange
from wick_router.proxy.queue_notifier import QueueNotifier
from wick_router.proxy.request_head import Edition
from wick_router.proxy.upstream import Upstream

if TYPE_CHECKING:
    from wick_router.proxy.access_log import AccessLog
    from wick_router.proxy.certificate import Certificate
    from wick_router.proxy.instance_connection import InstanceConnection
    from wick_router.proxy.tracing import Tracing
    from wick_router.proxy.tunnel import TunnelSide

log = logging.getLogger(__name__)

_ROUTES = "route table"


class DataPlane:
    """See the module. Built in the loop that it serves."""

    write_high = 262_144
    """Bytes waiting to be written to a peer above which the other side is not read."""

    def __init__(
        self,
        config: RouterConfig,
        backend: Backend,
        notifier: QueueNotifier | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        self.backend = backend
        self.notifier = notifier or QueueNotifier("", 0)
        self.clock = clock
        self.loop = asyncio.get_running_loop()
        self.outbox = Outbox(self.loop)
        self._digits = b""
        self._digits_at = 0
        self.upstreams: dict[Key, Upstream] = {}
        self.table = Table(config.policy)
        self.table.whole = False
        self.edition = Edition()
        """Another object after each change of the table: what was found in it before may not hold any more."""
        self.hides = config.public_serves != "all"
        """Public listeners serve public functions alone."""
        self.clients: set[ClientConnection] = set()
        self.half_closed: set[ClientConnection] = set()
        self.instance_connections: set[InstanceConnection] = set()
        self.live: set[ProxyExchange] = set()
        """Requests admitted and not settled."""
        self.tunnels: set[TunnelSide] = set()
        """Sockets handed over to another protocol."""
        self.buffered = 0
        self.draining = False
        self.in_touch = False
        self.informed = False
        """It has seen all functions once; before, one it does not know may well be there."""
        self.unrouted: dict[str, int] = {}
        """Refusals without a function, by reason."""
        self.faults = Faults()
        """Functions' trouble, caught where many functions are worked for."""
        self.loop_lag = Histogram()
        self.access: AccessLog | None = None
        self.tracing: Tracing | None = None
        """Where recorded traces go; None: nobody records any."""
        self.certificate: Certificate | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # Tasks

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` with an owner; a failure is a bug and goes to the loop's handler."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Cut what is left."""
        for client in list(self.clients):
            client.abort()
        for side in list(self.tunnels):
            side.say_goodbye()
        for conn in list(self.instance_connections):
            conn.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Sink

    def function(self, function: Function) -> None:
        upstream = self.upstreams.get(function.key)
        if upstream is None:
            upstream = self.upstreams[function.key] = Upstream(self, function.key)
        before = None if upstream.function is None else _routed_by(upstream.function)
        upstream.configure(function)
        if before != _routed_by(function):
            with self.faults.border(_ROUTES, function.key):
                self.table.put(function)
            self.edition = Edition()

    def function_gone(self, key: Key) -> None:
        upstream = self.upstreams.pop(key, None)
        if upstream is not None:
            upstream.gone()
            with self.faults.border(_ROUTES, key):
                self.table.drop(key)
            self.faults.forget(key)
            self.edition = Edition()

    def instances(self, key: Key, instances: Sequence[Instance]) -> None:
        if upstream := self.upstreams.get(key):
            upstream.instances(instances)

    def failed(self, key: Key, reason: Reason, message: str) -> None:
        if upstream := self.upstreams.get(key):
            upstream.failed(reason, message)

    def fell_back(self, key: Key, reason: str) -> None:
        if upstream := self.upstreams.get(key):
            upstream.fell_back(reason)

    def delayed(self, key: Key, cause: str) -> None:
        if upstream := self.upstreams.get(key):
            upstream.dispatch.delay = cause

    def recovered(self, key: Key) -> None:
        if upstream := self.upstreams.get(key):
            upstream.recovered()

    def namespace(self, name: str, labels: Mapping[str, str]) -> None:
        self.table.label(name, labels)
        self.edition = Edition()

    def synced(self, in_touch: bool) -> None:  # noqa: FBT001 - as in `Sink`
        self.in_touch = in_touch
        if in_touch and not self.informed:
            self.informed = self.table.whole = True
            self.edition = Edition()

    # Clients

    def digits(self) -> bytes:
        """48 random hexadecimal digits; made a thousand at a time, which is cheaper than one by one."""
        at = self._digits_at
        if at == len(self._digits):
            self._digits = os.urandom(24 * 1024).hex().encode()
            at = 0
        self._digits_at = at + 48
        return self._digits[at : at + 48]

    def joined(self, client: ClientConnection) -> None:
        self.clients.add(client)
        if len(self.clients) > self.config.connections:
            client.abort()

    def left(self, client: ClientConnection) -> None:
        self.clients.discard(client)
        self.half_closed.discard(client)

    def watch_half_closed(self, client: ClientConnection) -> None:
        self.half_closed.add(client)

    def unknown(self, host: bytes, target: bytes) -> str:
        """Words for a request that is nobody's."""
        where = (host + target.partition(b"?")[0])[:200].decode("latin-1")
        return f"no function serves {where}; by path it would be /function/<namespace>/<name>/"

    def refused(self, upstream: Upstream | None, refused: RefusedRequest) -> None:
        counts = self.unrouted if upstream is None else upstream.refusals
        counts[refused.refusal.value] = counts.get(refused.refusal.value, 0) + 1

    def settle_expired(self, exchanges: Iterable[ProxyExchange], now: float) -> None:
        """Answer what is past its deadline."""
        for exchange in [exchange for exchange in exchanges if exchange.deadline <= now]:
            exchange.expired()


def _routed_by(function: Function) -> tuple[object, ...]:
    """What the tables are made of."""
    return function.spec.routes, function.spec.visibility, function.metadata.creation_timestamp
