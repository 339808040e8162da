"""A server that refuses everything for the moment, as kube-apiserver does while its watch cache is not ready."""

import asyncio
import contextlib
import itertools
import json

import pytest
from aiohttp import web

from cluster.meanwhile import meanwhile
from cluster.waiting import eventually_async
from wick_kube.cluster import Cluster
from wick_kube.error import Throttled
from wick_kube.reflector import FIRST_PAUSE, Reflector
from wick_kube.resource import CONFIG_MAPS

WORDS = "storage is (re)initializing"


class Silent:
    def changed(self, *_):
        pass

    def deleted(self, *_):
        pass


@contextlib.asynccontextmanager
async def answering(kubeconfig, answer):
    """A connection to a server that gives `answer()` to everything, and the times at which it was asked."""
    asked = []

    async def handle(_):
        asked.append(asyncio.get_running_loop().time())
        return answer()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with await Cluster.connect(str(kubeconfig)) as cluster:
            host, port = runner.addresses[0][:2]
            cluster._url = f"http://{host}:{port}"
            yield cluster, asked
    finally:
        await runner.cleanup()


def busy():
    status = {"kind": "Status", "code": 429, "reason": "TooManyRequests", "message": WORDS}
    return web.json_response(status, status=429, headers={"Retry-After": "1"})


async def test_a_call_that_is_throttled_to_its_end_says_so_in_the_servers_words(kubeconfig):
    async with answering(kubeconfig, busy) as (cluster, asked):
        with pytest.raises(Throttled, match=r"re\)initializing"):
            await cluster.call("GET", CONFIG_MAPS.path("any"), timeout=1.5)
        assert len(asked) == 2


async def test_a_reflector_leaves_a_throttling_server_alone_for_as_long_as_it_asks(kubeconfig, caplog):
    async with answering(kubeconfig, busy) as (cluster, asked):
        codes = []
        cluster.observe = lambda method, code: codes.append((method, code))
        reflector = Reflector(cluster, CONFIG_MAPS, Silent())
        async with meanwhile(reflector.run()):
            await eventually_async(lambda: _true(len(asked) >= 3))
            assert WORDS in reflector.trouble
    assert min(later - sooner for sooner, later in itertools.pairwise(asked)) >= 1
    assert {("GET", 429)} == set(codes)
    assert [WORDS in record.message for record in caplog.records if record.name == "wick_kube.reflector"] == [True]


async def test_an_error_in_place_of_a_watchs_events_is_waited_out_as_any_refusal(kubeconfig):
    status = {"kind": "Status", "code": 500, "reason": "InternalError", "message": "etcd is away"}
    line = json.dumps({"type": "ERROR", "object": status}) + "\n"
    async with answering(kubeconfig, lambda: web.Response(text=line)) as (cluster, asked):
        reflector = Reflector(cluster, CONFIG_MAPS, Silent())
        async with meanwhile(reflector.run()):
            await eventually_async(lambda: _true(len(asked) >= 3))
            assert "etcd is away" in reflector.trouble
    pauses = [later - sooner for sooner, later in itertools.pairwise(asked)]
    assert min(pauses) >= FIRST_PAUSE / 2


async def _true(value):
    return value
