"""A router, an operator or a pod that is killed in the middle of a start from the warm pool, moment by moment.

The router is a process of its own and gets a SIGKILL. An operator keeps nothing but what it reads from the API server,
so ending its tasks is as good.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys

import aiohttp
import pytest

from cluster.process import free_ports
from cluster.waiting import PATIENCE, eventually_async
from operating.proxy import proxy
from wick_api import names
from wick_kube.cluster import Cluster
from wick_kube.resource import PODS
from wick_operator.pool.adopter import FunctionFacts

WAITS = """
import os, time
while not os.path.exists({!r}):
    time.sleep(0.01)

def handle(request):
    return "late"
"""


@pytest.fixture
def door(controlled_plane):
    """To the API server, and shut at will."""
    with proxy(controlled_plane) as made:
        yield made


@contextlib.asynccontextmanager
async def router(world, kubeconfig):
    """A router's process that knows the namespace as it is now, and its data port."""
    port, admin = free_ports(2)
    settings = {
        "WICK_ROUTER_HOST": "127.0.0.1",
        "WICK_ROUTER_PORT": str(port),
        "WICK_ROUTER_ADMIN_HOST": "127.0.0.1",
        "WICK_ROUTER_ADMIN_PORT": str(admin),
        "WICK_ROUTER_DRAIN_DELAY": "0",
        "WICK_ROUTER_GRACE": "2",
        "WICK_KUBERNETES_KUBECONFIG": str(kubeconfig),
        "WICK_KUBERNETES_NAMESPACES": world.namespace,
        "WICK_KUBERNETES_POOL_KEY": "the installation's secret",
    }
    command = ("setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "wick_router")
    process = await asyncio.create_subprocess_exec(*command, env=os.environ | settings)

    async def ready():
        try:
            async with world.session.get(f"http://127.0.0.1:{admin}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientConnectorError:
            return False

    try:
        await eventually_async(ready)
        yield port, process
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), PATIENCE)


async def kill(process):
    process.kill()
    await process.wait()


async def end(runtime):
    """As a pod ends whose PID 1 is killed: with every process in it."""
    os.killpg(runtime.pid, signal.SIGKILL)
    await runtime.wait()


@contextlib.contextmanager
def shut(door, ends, cut):
    """Every patch of what `ends` so is cut off, and the fault that counts them."""
    with door.failing(lambda call: call.verb == "patch" and call.path.endswith(ends), cut=cut) as fault:
        yield fault


async def hit(fault):
    async def so():
        return fault.hits

    await eventually_async(so, every=0.01)


async def cut_off(request):
    """The client is told by the end of its connection, at once."""
    with pytest.raises(aiohttp.ClientError):
        await asyncio.wait_for(request, PATIENCE)


async def state(world, pod):
    async with world.session.get(f"http://{pod['status']['podIP']}:{names.CONTROL_PORT}/readyz") as answer:
        return (await answer.json())["state"]


async def is_now(world, pod, wanted):
    async def so():
        return await state(world, pod) == wanted

    await eventually_async(so, every=0.01)


@pytest.mark.parametrize("moment", ["while the pod loads the code", "before the claim"])
async def test_a_router_killed_before_its_claim_leaves_a_pod_that_is_found_and_the_next_router_answers(
    world, door, tmp_path, moment
):
    both = await world.pool(2)
    function = await world.function(WAITS.format(str(tmp_path / "go")))
    known = FunctionFacts(exists=True, replicas=1, current=function.status["revision"])
    async with router(world, door.kubeconfig(tmp_path)) as (port, process):
        with shut(door, tuple(f"/pods/{pod['metadata']['name']}" for pod in both), "before") as claim:
            request = asyncio.create_task(world.call(port))
            if moment == "before the claim":
                (tmp_path / "go").touch()
                assert await request == (200, "late")
                await hit(claim)
            else:
                await eventually_async(lambda: taken_of(world, both))
            await kill(process)
    if moment != "before the claim":
        await cut_off(request)
        (tmp_path / "go").touch()
    [taken] = await taken_of(world, both)
    await is_now(world, taken, "ready")
    await world.audited(both)
    assert taken["metadata"]["name"] not in await world.waiting()
    assert await world.pods() == {}
    [left] = [pod for pod in both if pod is not taken]
    async with router(world, world.kubeconfig) as (port, _), world.operator(lambda: known):
        assert await world.call(port) == (200, "late")
        await world.settled_in(left)


async def taken_of(world, pods):
    """Those that do not wait any more."""
    return [pod for pod in pods if await state(world, pod) != "pool"]


@pytest.mark.parametrize("moment", ["right after the claim", "before the adoption"])
async def test_a_router_killed_after_its_claim_is_finished_for_by_the_operator(world, door, tmp_path, moment):
    [pod] = await world.pool(1)
    function = await world.function()
    scaled = moment == "before the adoption"
    known = FunctionFacts(exists=True, replicas=int(scaled), current=function.status["revision"])
    async with router(world, door.kubeconfig(tmp_path)) as (port, process):
        with shut(door, "/deployments/hello/scale", "after" if scaled else "before") as scale:
            assert await world.call(port) == (200, "hello nobody")
            await hit(scale)
            await kill(process)
    assert pod["metadata"]["name"] in await world.pods()
    assert await world.replicas() == scaled
    async with world.operator(lambda: known):
        await world.settled_in(pod)
    assert await world.ask(pod) == (200, "hello nobody")


@pytest.mark.parametrize(
    ("moment", "ends", "cut"),
    [
        ("before the resize", "/resize", "before"),
        ("after the resize", "/resize", "after"),
        ("before the adoption", "", "before"),
        ("after the adoption", "", "after"),
    ],
)
async def test_an_operator_killed_between_scale_and_adoption_is_finished_for_by_the_next(
    world, door, tmp_path, moment, ends, cut
):
    [pod] = await world.pool(1)
    function = await world.function(resources={"requests": {"cpu": "77m"}})
    known = FunctionFacts(exists=True, replicas=1, current=function.status["revision"])
    await world.start(function)
    await world.cluster.scale(world.namespace, "hello", 1, field_manager=names.ROUTER)
    async with await Cluster.connect(str(door.kubeconfig(tmp_path))) as cluster:
        with shut(door, f"/pods/{pod['metadata']['name']}{ends}", cut) as write:
            async with world.operator(lambda: known, cluster=cluster):
                await hit(write)
    async with world.operator(lambda: known):
        own = await world.settled_in(pod)
    assert own["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "77m", moment
    assert await world.ask(pod) == (200, "hello nobody")


async def test_a_pod_killed_while_it_loads_the_code_costs_time_only(world, tmp_path):
    [pod] = await world.pool(1)
    await world.function(WAITS.format(str(tmp_path / "go")))
    async with router(world, world.kubeconfig) as (port, _):
        request = asyncio.create_task(world.call(port))
        await is_now(world, pod, "loading")
        await end(world.runtimes[pod["metadata"]["name"]])
        (tmp_path / "go").touch()
        own = await world.run_own()
        assert await asyncio.wait_for(request, PATIENCE) == (200, "late")
    assert list(await world.pods()) == [own["metadata"]["name"]]
    assert await world.replicas() == 1


@pytest.mark.parametrize("moment", ["before its claim", "after its claim"])
async def test_a_pod_killed_while_it_serves_is_replaced_and_the_next_request_is_answered(world, door, tmp_path, moment):
    [pod] = await world.pool(1)
    name = pod["metadata"]["name"]
    function = await world.function()
    known = FunctionFacts(exists=True, replicas=1, current=function.status["revision"])
    path = f"/pods/{name}" if moment == "before its claim" else "/deployments/hello/scale"
    async with router(world, door.kubeconfig(tmp_path)) as (port, _), world.operator(lambda: known):
        with shut(door, path, "before") as write:
            assert await world.call(port) == (200, "hello nobody")
            await hit(write)
            await world.cluster.delete(PODS, world.namespace, name, grace=0)
            await end(world.runtimes[name])
        request = asyncio.create_task(until_answered(world, port))
        own = await world.run_own()
        assert await asyncio.wait_for(request, PATIENCE) == (200, "hello nobody")
        await world.settled_in(own)


async def until_answered(world, port):
    """A request that crosses the end of the pod's connections is told so; it may have begun there."""
    while (answer := await world.call(port))[0] == 502:
        assert json.loads(answer[1])["error"]["code"] == "instance-failed"
    return answer
