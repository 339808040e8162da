"""What only time can tell: deadlines, slow and silent clients, idle connections, and how late the loop is.

One timer for the whole process looks at everything ten times a second, which costs less than a timer a request: an
answered request then pays nothing for the deadline it kept. Deadlines that fall between two rounds are looked for in
between, not more than once in `GRAIN`:

    round ------- deadline, look -- deadline -- look ------- round        (`next_look`)

So a deadline is noticed at most `GRAIN` late, or `PERIOD` when less than that was left as the request came.
"""

import select
from collections.abc import Iterable
from typing import TYPE_CHECKING

from wick_router.proxy.client_connection import LINGER

if TYPE_CHECKING:
    from asyncio import TimerHandle

    from wick_router.config import RouterConfig
    from wick_router.proxy.client_connection import ClientConnection
    from wick_router.proxy.data_plane import DataPlane

PERIOD = 0.1
"""Seconds."""
GRAIN = 0.01
"""Seconds between two looks for deadlines within a round; many that expire one by one cost a look for all of them."""
RESOLUTION = 0.001
"""Seconds by which uvloop's timers may come early."""
SLOW_EVERY = 10
"""Connections are looked at once in so many rounds."""
CERTIFICATE_EVERY = 20
"""Certificate files are looked at once in so many rounds."""


class TimeoutSweep:
    """See the module."""

    def __init__(self, plane: "DataPlane") -> None:
        self._plane = plane
        self._round = 0
        self._timer: TimerHandle | None = None
        self._look: TimerHandle | None = None
        self._expected = 0.0

    def start(self) -> None:
        self._expected = self._plane.loop.time() + PERIOD
        self._timer = self._plane.loop.call_at(self._expected, self._sweep)

    def stop(self) -> None:
        for timer in (self._timer, self._look):
            if timer is not None:
                timer.cancel()

    def _expire(self) -> None:
        """Answer what is past its deadline, and come back for what will be before the next round."""
        plane = self._plane
        if self._look is not None:
            self._look.cancel()
        now = plane.clock()
        plane.settle_expired(plane.live, now)
        left = self._expected - plane.loop.time()
        pause = next_look((exchange.deadline - now for exchange in plane.live), left)
        self._look = None if pause is None else plane.loop.call_later(pause, self._expire)

    def _sweep(self) -> None:
        plane = self._plane
        plane.loop_lag.observe(max(0.0, plane.loop.time() - self._expected))
        now = plane.clock()
        for client in list(plane.half_closed):
            if hung_up(client):
                client.transport.abort()
        self._round += 1
        if self._round % SLOW_EVERY == 0:
            for client in list(plane.clients):
                if not client.reading and hung_up(client):
                    client.transport.abort()  # a reset shows by itself only where somebody reads
                else:
                    look_after(client, now, plane.config)
            for upstream in plane.upstreams.values():
                for endpoint in upstream.endpoints.values():
                    endpoint.close_idle(now - upstream.idle_timeout)
        if self._round % CERTIFICATE_EVERY == 0 and plane.certificate is not None:
            plane.certificate.refresh()
        self.start()
        self._expire()


def next_look(left: Iterable[float], until_round: float) -> float | None:
    """Seconds until deadlines are looked for again, from what is left to each; None: the next round is soon enough."""
    nearest = min(left, default=until_round)
    return max(nearest + RESOLUTION, GRAIN) if nearest < until_round - GRAIN else None


def look_after(client: "ClientConnection", now: float, config: "RouterConfig") -> None:
    """End a connection that keeps nothing but a place."""
    if client.closing:
        if client.closing_since and now - client.closing_since > LINGER:
            client.transport.abort()
    elif client.write_paused:
        if now - client.write_paused_since > config.body_timeout:
            client.abort()
    elif client.head_since:
        if now - client.head_since > config.header_timeout:
            client.timed_out()
    elif client.incoming is not None:
        if client.reading and now - client.heard > config.body_timeout:
            client.timed_out()
    elif client.exchange is None and now - client.heard > config.idle_timeout:
        client.transport.close()


def hung_up(client: "ClientConnection") -> bool:
    """Whether nobody holds the other end, of a client that is not read from or has closed its sending side.

    One that closed its sending side was sent an interim answer at that moment; a socket that nobody holds any more has
    answered it with a reset, which the kernel shows as a hang-up.
    """
    descriptor = client.transport.get_extra_info("socket").fileno()
    if descriptor < 0:
        return True
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll(0))
