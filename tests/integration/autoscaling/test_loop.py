"""The loop against real HTTP servers that write what routers write, a real router and a real instance among them."""

import asyncio
import sys
import time
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from msgspec import structs

from cluster import process
from cluster.waiting import PATIENCE
from wick_api import header
from wick_api.function import parse
from wick_api.names import Key
from wick_autoscaler.decisions.scaler import NotScaled, Replicas
from wick_autoscaler.external_metrics import Sources
from wick_autoscaler.loop import Autoscaler, AutoscalerSettings
from wick_router.config import RouterConfig
from wick_router.router import Router as RealRouter

HELLO = Key("default", "hello")
FAST = AutoscalerSettings(period=0.05, patience=PATIENCE)


def function(**scale):
    return parse(
        {
            "apiVersion": "kubewick.dev/v1alpha1",
            "kind": "Function",
            "metadata": {"name": "hello"},
            "spec": {"image": "hello", "scale": {"window": "1s", "idle": "300ms", **scale}},
        }
    )


class Platform:
    """A Scaler that gives what is asked for at once and keeps what was asked."""

    def __init__(self, function, count=0):
        self.function, self.count, self.asked, self.refusals = function, count, [], 0
        self.looks = 0

    def functions(self):
        return [self.function] if self.function else []

    def changed(self):
        return None

    def replicas(self, _key):
        self.looks += 1
        return Replicas(self.count, self.count)

    def instances(self, _key):
        return []

    async def scale(self, _key, decision, _replicas):
        if self.refusals:
            self.refusals -= 1
            raise NotScaled("quota")
        self.asked.append((decision.replicas, decision.reason))
        self.count = decision.replicas


class Router:
    """Counts demand the way a router does and writes it as Prometheus text."""

    def __init__(self):
        self.level, self.total, self.requests, self.since, self.broken = 0.0, 0.0, 0, time.monotonic(), False

    def load(self, level, requests=0):
        self._integrate()
        self.level, self.requests = level, self.requests + requests

    def _integrate(self):
        now = time.monotonic()
        self.total, self.since = self.total + self.level * (now - self.since), now

    async def metrics(self, _request):
        if self.broken:
            raise web.HTTPServiceUnavailable
        self._integrate()
        label = '{namespace="default",function="hello"'
        return web.Response(
            text=f'kubewick_function_inflight_seconds_total{label},revision="r"}} {self.total}\n'
            f'kubewick_function_requests_total{label},revision="r",code="200"}} {self.requests}\n'
            f"kubewick_function_in_flight{label}}} {self.level}\n",
            headers={header.CLOCK: f"{self.since:.6f}"},
        )


@asynccontextmanager
async def served(*routers):
    runners, urls = [], []
    for router in routers:
        application = web.Application()
        application.router.add_get("/metrics", router.metrics)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        runners.append(runner)
        urls.append(f"http://127.0.0.1:{runner.addresses[0][1]}/metrics")
    yield urls
    for runner in runners:
        await runner.cleanup()


@asynccontextmanager
async def running(platform, urls, settings=FAST):
    autoscaler = Autoscaler(platform, lambda: urls, time.monotonic, settings)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(autoscaler.run())
        yield autoscaler
        task.cancel()


async def eventually(condition):
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - the condition is what others did, nobody signals it
            await asyncio.sleep(0.01)


async def test_load_scales_up_and_idleness_to_zero():
    platform, router = Platform(function(), count=1), Router()
    async with served(router) as urls, running(platform, urls):
        router.load(30)
        await eventually(lambda: platform.count == 5)  # 30 at 70 % of 10
        router.load(0)
        await eventually(lambda: platform.count == 0)
    assert platform.asked[-1][1] == "idle"


async def test_load_of_all_routers_adds_up():
    platform, one, other = Platform(function(), count=1), Router(), Router()
    async with served(one, other) as urls, running(platform, urls):
        one.load(20)
        other.load(22)
        await eventually(lambda: platform.count == 6)


async def test_a_router_that_does_not_answer_freezes_rather_than_shrinks():
    platform, one, other = Platform(function(), count=3), Router(), Router()
    async with served(one, other) as urls, running(platform, urls) as autoscaler:
        other.broken = True
        await eventually(lambda: HELLO in autoscaler.tracks and autoscaler.tracks[HELLO].decided)
        await eventually(lambda: autoscaler.tracks[HELLO].decided[-1].decision.reason == "blind")
        assert platform.count == 3
        other.broken = False
        await eventually(lambda: platform.count == 0)


async def test_a_router_that_stays_silent_is_given_up():
    platform, one, other = Platform(function(), count=3), Router(), Router()
    other.broken = True
    async with (
        served(one, other) as urls,
        running(platform, urls, AutoscalerSettings(period=0.05, patience=PATIENCE, given_up=0.5)),
    ):
        await eventually(lambda: platform.count == 0)


async def test_a_poke_does_not_wait_for_the_period():
    platform, router = Platform(function(), count=0), Router()
    async with (
        served(router) as urls,
        running(platform, urls, AutoscalerSettings(period=600, patience=PATIENCE)) as autoscaler,
    ):
        await eventually(lambda: HELLO in autoscaler.tracks)
        router.load(15)
        autoscaler.poke([HELLO])
        await eventually(lambda: platform.count == 3)


async def test_a_request_that_came_and_went_between_two_looks_counts_as_demand():
    platform, router = Platform(function(idle="1h"), count=1), Router()
    async with served(router) as urls, running(platform, urls) as autoscaler:
        await eventually(lambda: HELLO in autoscaler.tracks)
        before = autoscaler.tracks[HELLO].last_demand
        router.load(0, requests=1)
        await eventually(lambda: autoscaler.tracks[HELLO].last_demand > before)


async def test_a_refused_number_is_asked_for_again():
    platform, router = Platform(function(min=2), count=0), Router()
    platform.refusals = 2
    async with served(router) as urls, running(platform, urls):
        await eventually(lambda: platform.count == 2)


async def test_a_function_that_went_is_forgotten():
    platform, router = Platform(function(), count=1), Router()
    async with served(router) as urls, running(platform, urls) as autoscaler:
        await eventually(lambda: HELLO in autoscaler.tracks)
        platform.function = None
        await eventually(lambda: not autoscaler.tracks)


@pytest.mark.parametrize("urls", [[], ["http://127.0.0.1:9/metrics"]])
async def test_no_router_at_all_takes_nothing_away(urls):
    platform = Platform(function(), count=4)
    async with running(platform, urls) as autoscaler:
        await eventually(lambda: HELLO in autoscaler.tracks and autoscaler.tracks[HELLO].decided)
        since = time.monotonic()
        await eventually(lambda: time.monotonic() > since + 1.5)
    assert platform.asked == []


async def test_a_new_leader_in_the_middle_of_a_spike_takes_nothing_away_and_scales_on():
    platform, router = Platform(function(window="2s"), count=1), Router()
    async with served(router) as urls:
        router.load(30)
        async with running(platform, urls):
            await eventually(lambda: platform.count >= 5)
        held = platform.count
        router.load(65)
        async with running(platform, urls):
            await eventually(lambda: platform.count == 10)
    asked = [count for count, _ in platform.asked]
    assert asked == sorted(asked)
    assert held in asked


async def test_a_new_leader_that_sees_no_load_waits_a_window_before_it_takes_anything_away():
    platform, router = Platform(function(window="1s", idle="0s"), count=6), Router()
    async with served(router) as urls:
        began = time.monotonic()
        async with running(platform, urls):
            await eventually(lambda: platform.count == 0)
    assert time.monotonic() - began >= 1


async def test_busy_instances_scale_by_cpu_and_a_silent_one_freezes():
    """Two instances of half a core, each using all of it: 200 % at a target of 50 % each asks for four."""
    spec = {"metrics": [{"type": "cpu", "target": 50}], "window": "1s", "idle": "1h"}
    platform, router, began = Platform(function(**spec), count=2), Router(), time.monotonic()
    platform.function = structs.replace(
        platform.function, spec=structs.replace(platform.function.spec, resources={"requests": {"cpu": "500m"}})
    )
    pods = [Pod(began), Pod(began)]
    async with served(router, *pods) as [scraped, *instances]:
        platform.instances = lambda _key: instances
        settings = AutoscalerSettings(period=0.1, sources=Sources(period=0.1))
        async with running(platform, [scraped], settings) as autoscaler:
            await eventually(lambda: platform.count == 4)
            pods[1].broken = True
            await eventually(lambda: autoscaler.tracks[HELLO].decided[-1].decision.reason == "blind")
            asked, seen = len(platform.asked), platform.looks
            await eventually(lambda: platform.looks > seen + 20)  # two windows
            assert len(platform.asked) == asked


class Pod:
    """An instance that uses half a core."""

    def __init__(self, began):
        self.began, self.broken = began, False

    async def metrics(self, _request):
        if self.broken:
            raise web.HTTPServiceUnavailable
        spent = (time.monotonic() - self.began) / 2
        return web.Response(
            text=f"kubewick_function_cpu_seconds_total{{}} {spent}\nkubewick_function_memory_bytes{{}} 1\n"
        )


@asynccontextmanager
async def real_router(served_function):
    """A real router that knows one function and no instance of it; the URL of its metrics."""
    router = RealRouter(
        RouterConfig(host="127.0.0.1", port=0, admin_host="127.0.0.1", admin_port=0), Nowhere(served_function)
    )
    await router.start()
    yield router, f"http://127.0.0.1:{router.admin_port}/metrics"
    await router.stop()


class Nowhere:
    """A backend that starts nothing."""

    def __init__(self, served_function):
        self.function = served_function

    async def run(self, sink):
        sink.function(self.function)
        sink.synced(in_touch=True)
        await asyncio.Event().wait()

    def activate(self, _key):
        pass


async def test_the_queue_of_a_real_router_scales_up_and_its_end_down():
    platform = Platform(function(metrics=[{"type": "queue", "target": 10}]), count=1)
    async with real_router(platform.function) as (router, url), running(platform, [url]):
        waiting = [await asyncio.open_connection("127.0.0.1", router.port) for _ in range(25)]
        for _, writer in waiting:
            writer.write(b"GET /function/default/hello/ HTTP/1.1\r\nHost: a\r\n\r\n")
        await eventually(lambda: platform.count == 3)
        for _, writer in waiting:
            writer.transport.abort()
        await eventually(lambda: platform.count == 0)


@pytest.fixture
def instance(tmp_path):
    """A real instance whose code keeps 100 MiB; the URL of its metrics, and its process."""
    (tmp_path / "main.py").write_text("kept = b'x' * (100 << 20)\n\ndef handle():\n    return 'ok'\n")
    [port] = process.free_ports(1)
    env = [f"KUBEWICK_CODE={tmp_path}", f"KUBEWICK_CONTROL_PORT={port}", "PORT=0"]
    server = process.start("instance", ["env", *env, sys.executable, "-m", "wick_runtime"], tmp_path / "log")
    yield f"http://127.0.0.1:{port}/metrics", server
    server.stop()


async def test_the_memory_of_a_real_instance_scales_up_and_its_silence_freezes(instance):
    """100 MiB and the interpreter's own, of 50 MiB promised: more than twice, and less than four times."""
    url, server = instance
    platform = Platform(function(metrics=[{"type": "memory", "target": 100}], idle="1h"), count=1)
    platform.function = structs.replace(
        platform.function, spec=structs.replace(platform.function.spec, resources={"requests": {"memory": "50Mi"}})
    )
    platform.instances = lambda _key: [url]
    async with served(Router()) as urls:
        settings = AutoscalerSettings(period=0.1, sources=Sources(period=0.1))
        async with running(platform, urls, settings) as autoscaler:
            await eventually(lambda: platform.count in {3, 4})
            server.stop()
            await eventually(lambda: autoscaler.tracks[HELLO].decided[-1].decision.reason == "blind")
            assert platform.count in {3, 4}
