"""What one look at several routers says, with real HTTP servers and a clock of the test's own."""

import contextlib

import aiohttp
import pytest
from aiohttp import web

from wick_api import header, metric
from wick_api.names import Key
from wick_autoscaler.collector import Collector

HELLO = Key("default", "hello")
DRIFT = 0.002
"""Seconds by which two clocks may be taken to have drifted apart here."""


class Router:
    """Has counted `total` seconds of requests by `clock`, its own."""

    def __init__(self, clock):
        self.clock, self.total = clock, 0.0

    async def metrics(self, _request):
        labels = 'namespace="default",function="hello",revision="abc"'
        return web.Response(
            text=f"{metric.INFLIGHT_SECONDS}{{{labels}}} {self.total}\n", headers={header.CLOCK: str(self.clock)}
        )


class World:
    def __init__(self):
        self.now, self.urls = 100.0, []

    @contextlib.asynccontextmanager
    async def router(self, clock):
        router, app = Router(clock), web.Application()
        app.router.add_get("/metrics", router.metrics)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.urls.append(f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/metrics")
        try:
            yield router
        finally:
            await runner.cleanup()


@pytest.fixture
async def world():
    made = World()
    async with aiohttp.ClientSession() as session:
        made.collector = Collector(session, lambda: made.urls, lambda: made.now, given_up=3, largest=1_000_000)
        yield made


async def test_a_look_ends_at_the_earliest_moment_that_a_router_wrote_by_its_own_clock(world):
    async with world.router(1000.0) as one, world.router(2000.0) as other:
        first = await world.collector.collect()
        assert (first.until, first.complete) == (100.0, True)
        world.now, one.clock, other.clock = 101.0, 1001.0, 2000.4
        look = await world.collector.collect()
        assert (look.since, look.until, look.complete) == (100.0, pytest.approx(100.4, abs=DRIFT), True)


async def test_what_the_younger_page_counted_beyond_that_moment_comes_with_the_next_look(world):
    async with world.router(1000.0) as one, world.router(2000.0) as other:
        await world.collector.collect()
        world.now, one.clock, other.clock, one.total = 101.0, 1001.0, 2000.4, 10.0
        first = await world.collector.collect()
        world.now, one.clock, other.clock = 102.0, 1002.0, 2002.0
        second = await world.collector.collect()
    seconds = [sum(change[HELLO][0] for change in look.changes if HELLO in change) for look in (first, second)]
    assert seconds == pytest.approx([4.0, 6.0], abs=10 * DRIFT)
