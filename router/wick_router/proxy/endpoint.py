"""One instance's address: its idle connections, and the dialling of new ones.

The connection that proved an instance ready goes to the idle ones, so it carries the first request.
"""

import asyncio
from typing import TYPE_CHECKING, cast

from wick_router.dispatch.action import EndpointState
from wick_router.http.head_cache import KnownHeads
from wick_router.proxy.instance_connection import InstanceConnection

if TYPE_CHECKING:
    from wick_router.proxy.exchange import ProxyExchange
    from wick_router.proxy.upstream import Upstream

DIAL_FIRST, DIAL_STEP, DIAL_LAST = 0.010, 0.005, 0.025
"""Seconds between two dials of a new instance that refuses; 10 ms, growing to 25."""
DIAL_EAGER, DIAL_CALM = 10.0, 1.0
"""After so many seconds of dialling in vain, the pause between dials grows by half each time, up to the second."""
DIAL_TIMEOUT_FIRST, DIAL_TIMEOUT_LAST = 0.25, 2.0
"""Seconds one dial may take; doubles when an address swallows packets, so that a far or slow node is reached too."""


class Endpoint:
    """See the module."""

    def __init__(self, upstream: "Upstream", slot: EndpointState) -> None:
        self.upstream = upstream
        self.plane = upstream.plane
        self.slot = slot
        self.idle: list[InstanceConnection] = []
        self.busy: set[InstanceConnection] = set()
        self.fresh = not slot.ready
        """No request has gone there yet."""
        self.known_heads = KnownHeads()
        """What the heads of its latest answers mean, by their bytes."""
        self._dialling = False

    # Connections

    def put(self, conn: InstanceConnection) -> None:
        """A connection has nothing to do."""
        slot = self.slot
        if slot.listed and not slot.draining and len(self.idle) < self.upstream.dispatch.capacity:
            self.idle.append(conn)
        else:
            conn.close()

    def opened(self, conn: InstanceConnection) -> None:
        self.plane.instance_connections.add(conn)

    def closed(self, conn: InstanceConnection) -> None:
        self.plane.instance_connections.discard(conn)
        self.forget(conn)

    def forget(self, conn: InstanceConnection) -> None:
        """Never choose it again."""
        if conn in self.idle:
            self.idle.remove(conn)

    def retire(self) -> None:
        """No new requests: idle connections end, busy ones when their exchange does."""
        while self.idle:
            self.idle.pop().close()

    def close_idle(self, before: float) -> None:
        """Close what has been idle since `before`; the oldest are first."""
        while self.idle and self.idle[0].idle_since < before:
            self.idle[0].close()

    # Dialling

    def connect(self, exchange: "ProxyExchange", now: float) -> None:
        """A connection for a request that found none idle."""
        self.plane.spawn(self._connect(exchange, now))

    async def _connect(self, exchange: "ProxyExchange", began: float) -> None:
        try:
            conn = await self._dial_once(self.plane.config.connect_timeout)
        except OSError:
            if exchange.slot is self.slot and exchange.conn is None and not exchange.settled:
                self.upstream.retried("unreached")
                exchange.waiting_since = now = self.plane.clock()
                self.upstream.carry_out(self.upstream.dispatch.unreached(exchange, now))
            return
        now = self.plane.clock()
        if exchange.slot is self.slot and exchange.conn is None and not exchange.settled:
            exchange.connecting = now - began
            conn.carry(exchange, now)
        else:
            conn.idle_since = now
            self.put(conn)

    async def _dial_once(self, timeout: float) -> InstanceConnection:  # noqa: ASYNC109 - grows from dial to dial
        """One attempt; OSError (TimeoutError is one) when it fails."""
        instance = self.slot.instance
        async with asyncio.timeout(timeout):
            _, conn = await self.plane.loop.create_connection(
                lambda: cast("asyncio.Protocol", InstanceConnection(self)), instance.host, instance.port
            )
        return cast("InstanceConnection", conn)

    def dial(self) -> None:
        """Find out when the instance listens."""
        if not self._dialling:
            self._dialling = True
            self.plane.spawn(self._dial())

    async def _dial(self) -> None:
        pause, patience = DIAL_FIRST, DIAL_TIMEOUT_FIRST
        eager_until = self.plane.clock() + DIAL_EAGER
        try:
            while self.slot.live and not self.slot.ready:
                try:
                    conn = await self._dial_once(patience)
                except TimeoutError:
                    patience = min(patience * 2, DIAL_TIMEOUT_LAST)
                except OSError:
                    await asyncio.sleep(pause)
                    if self.plane.clock() < eager_until:
                        pause = min(pause + DIAL_STEP, DIAL_LAST)
                    else:
                        pause = min(pause * 1.5, DIAL_CALM)
                else:
                    conn.idle_since = self.plane.clock()
                    self.put(conn)
                    self.upstream.carry_out(self.upstream.dispatch.dialled(self.slot, self.plane.clock()))
                    return
        finally:
            self._dialling = False
