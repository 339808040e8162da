"""A router that serves while its API server is gone: frozen, or killed and started again."""

import asyncio
import contextlib
import json
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cluster import process
from cluster.control_plane import ControlPlane, wait_until_ready
from cluster.kubectl import establish, fresh_namespace
from cluster.meanwhile import meanwhile
from cluster.stream_server import stream_server
from cluster.tools import Missing
from cluster.waiting import eventually_async
from wick_api.names import Key
from wick_kube.cluster import Cluster
from wick_kube.resource import DEPLOYMENTS, FUNCTIONS, PODS
from wick_router.config import RouterConfig
from wick_router.kubernetes import KubernetesBackend, activation
from wick_router.kubernetes.config import KubernetesConfig
from wick_router.router import Router

pytestmark = pytest.mark.timeout(240)  # an API server that starts on a busy machine takes its time

API_SERVER = "kube-apiserver"
CRDS = Path(__file__).parents[3] / "crds"


@pytest.fixture(scope="module")
def own_plane():
    """A control plane that may be broken; whoever kills the API server starts it again."""
    try:
        with ControlPlane.start() as plane:
            establish(plane.kubeconfig, CRDS)
            yield plane
            plane.servers[API_SERVER].stop()
    except Missing as missing:
        pytest.skip(f"NO CONTROL PLANE, because this machine lacks {missing}")


@dataclass
class Trickle:
    """What a client that never stops has been answered."""

    statuses: Counter[int | str] = field(default_factory=Counter)

    async def go_on(self, port, path):
        while True:
            self.statuses[await status(port, path)] += 1
            await asyncio.sleep(0.005)


async def call(port, path):
    """Status and body of one request on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        return int(head.split()[1]), body
    finally:
        writer.close()


async def status(port, path):
    try:
        return (await call(port, path))[0]
    except (OSError, IndexError) as error:
        return repr(error)


class World:
    """A router on a real API server, a warm function `warm` and one at zero, `cold`; we are the kubelet."""

    def __init__(self, cluster, router, namespace, serving):
        self.cluster, self.router, self.namespace, self.serving = cluster, router, namespace, serving

    @property
    def plane(self):
        return self.router.plane

    def key(self, name):
        return Key(self.namespace, name)

    def slots(self, name):
        return list(self.plane.upstreams[self.key(name)].dispatch.slots.values())

    async def call(self, name):
        return await call(self.router.port, f"/function/{self.namespace}/{name}/")

    async def readiness(self):
        return json.loads((await call(self.router.admin_port, "/readyz"))[1])["state"]

    async def deploy(self, name, replicas):
        labels = {"kubewick.dev/function": name, "kubewick.dev/revision": "abc"}
        meta = {"name": name, "namespace": self.namespace}
        template = {"metadata": {"labels": labels}, "spec": self._pod_spec()}
        for manifest in (
            {
                "apiVersion": "kubewick.dev/v1alpha1",
                "kind": "Function",
                "metadata": meta,
                "spec": {"source": {"inline": {"main.py": "def handle(): return 'hi'"}}},
            },
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": meta,
                "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
            },
        ):
            await self.cluster.create(manifest, field_manager="test")

    def _pod_spec(self):
        port = self.serving.port
        return {"containers": [{"name": "function", "image": "x", "ports": [{"name": "http", "containerPort": port}]}]}

    async def run_pod(self, function, name):
        """A pod of this function that serves."""
        labels = {"kubewick.dev/function": function, "kubewick.dev/revision": "abc"}
        metadata = {"name": name, "namespace": self.namespace, "labels": labels}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": self._pod_spec()}
        await self.cluster.create(pod, field_manager="test")
        ready = {"phase": "Running", "podIP": "127.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}
        await self.cluster.patch(
            PODS, self.namespace, name, {"status": ready}, field_manager="kubelet", subresource="status"
        )

    async def run_what_is_wanted(self, function):
        """Wait until the router has asked for an instance, and run it."""

        async def asked():
            found = await self.cluster.get(DEPLOYMENTS, self.namespace, function)
            return found["spec"]["replicas"] == 1

        await eventually_async(asked)
        await self.run_pod(function, f"{function}-1")

    async def becomes(self, condition):
        async def look():
            return condition()

        await eventually_async(look)


async def hi(reader, writer):
    """What every pod runs."""
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")


@pytest.fixture
async def world(own_plane, request):
    namespace = fresh_namespace(own_plane.kubeconfig, request.node.name)
    settings = KubernetesConfig(namespaces=(namespace,), kubeconfig=str(own_plane.kubeconfig))
    router = Router(
        RouterConfig(host="127.0.0.1", port=0, admin_host="127.0.0.1", admin_port=0), KubernetesBackend(settings)
    )
    async with contextlib.AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(await Cluster.connect(str(own_plane.kubeconfig)))
        serving = await stack.enter_async_context(stream_server(hi))
        await router.start()
        stack.push_async_callback(router.stop)
        made = World(cluster, router, namespace, serving)
        await made.becomes(lambda: made.plane.in_touch)
        await made.deploy("warm", 1)
        await made.run_pod("warm", "warm-1")
        await made.deploy("cold", 0)
        await made.becomes(lambda: {made.key("warm"), made.key("cold")} <= made.plane.upstreams.keys())
        await made.becomes(lambda: [slot.ready for slot in made.slots("warm")] == [True])
        made.trickle = Trickle()
        async with meanwhile(made.trickle.go_on(router.port, f"/function/{namespace}/warm/")):
            yield made


async def many_more(world, count=100):
    """The warm function was called so many times more."""
    enough = world.trickle.statuses.total() + count
    await world.becomes(lambda: world.trickle.statuses.total() >= enough)


async def goes_on_as_before(world, slots):
    """The copy of the cluster is the one from before, and follows the cluster again."""
    assert world.slots("warm") == slots, "the very same slots: nothing was taken away and listed anew"
    await world.run_pod("warm", "warm-2")
    await world.becomes(lambda: sum(slot.ready for slot in world.slots("warm")) == 2)
    await world.cluster.delete(PODS, world.namespace, "warm-1", grace=0)
    await world.becomes(lambda: len([slot for slot in world.slots("warm") if slot.live]) == 1)
    await many_more(world)
    assert set(world.trickle.statuses) == {200}
    assert world.plane.upstreams[world.key("warm")].refusals == {}
    await world.cluster.delete(FUNCTIONS, world.namespace, "cold")
    await world.becomes(lambda: world.key("cold") not in world.plane.upstreams)


async def until_served(world):
    """The failure is believed for a while; then the next request starts the function."""
    while (await world.call("cold"))[0] == 503:  # noqa: ASYNC110 - nobody tells when that is
        await asyncio.sleep(0.05)


async def test_a_frozen_api_server_stops_no_warm_request_and_holds_a_cold_one_until_it_is_back(
    world, own_plane, monkeypatch
):
    monkeypatch.setattr(activation, "PATIENCE", 120.0)  # however slow this machine is
    slots = world.slots("warm")
    server = own_plane.servers[API_SERVER].process
    server.send_signal(signal.SIGSTOP)
    try:
        held = asyncio.create_task(world.call("cold"))
        await many_more(world)
        assert not held.done()
        assert set(world.trickle.statuses) == {200}
    finally:
        server.send_signal(signal.SIGCONT)
    await world.run_what_is_wanted("cold")
    assert await asyncio.wait_for(held, 60) == (200, b"hi")
    await goes_on_as_before(world, slots)


async def test_a_request_that_times_out_while_the_api_server_is_frozen_is_told_what_its_start_waits_for(
    world, own_plane
):
    limit = {"spec": {"timeout": "3s"}}
    await world.cluster.patch(FUNCTIONS, world.namespace, "cold", limit, field_manager="test")
    await world.becomes(lambda: world.plane.upstreams[world.key("cold")].timeout == 3)
    server = own_plane.servers[API_SERVER].process
    server.send_signal(signal.SIGSTOP)
    try:
        code, body = await asyncio.wait_for(world.call("cold"), 60)
    finally:
        server.send_signal(signal.SIGCONT)
    error = json.loads(body)["error"]
    assert (code, error["code"], error["retryAfter"]) == (504, "deadline", 1)
    assert "the API server does not answer" in error["message"]


async def test_a_killed_api_server_stops_no_warm_request_and_a_cold_one_is_told_why(world, own_plane, monkeypatch):
    monkeypatch.setattr(activation, "PATIENCE", 1.0)
    slots = world.slots("warm")
    killed = own_plane.servers[API_SERVER]
    killed.process.kill()
    killed.process.wait()
    try:
        await world.becomes(lambda: not world.plane.in_touch)
        assert await world.readiness() == "degraded"
        code, body = await asyncio.wait_for(world.call("cold"), 60)
        error = json.loads(body)["error"]
        assert (code, error["code"], error["reason"]) == (503, "cannot-start", "ClusterError")
        assert "API server" in error["message"]
        await many_more(world)
        assert set(world.trickle.statuses) == {200}
    finally:
        again = process.start(API_SERVER, killed.process.args, killed.log, bound=False)
        own_plane.servers[API_SERVER] = again
    await asyncio.to_thread(wait_until_ready, own_plane.server, own_plane.authority, [again])
    await world.becomes(lambda: world.plane.in_touch)
    assert await world.readiness() == "ready"
    served = asyncio.create_task(until_served(world))
    await world.run_what_is_wanted("cold")
    await asyncio.wait_for(served, 60)
    await goes_on_as_before(world, slots)
