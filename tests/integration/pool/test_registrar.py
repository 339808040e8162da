"""What the operator does about claimed pods, with kube-controller-manager's ReplicaSets."""

import asyncio
import contextlib
import signal
from time import monotonic

import pytest

from cluster.waiting import PATIENCE, eventually_async
from wick_api import names, warm
from wick_kube.resource import DEPLOYMENTS, PODS, REPLICA_SETS
from wick_operator.fence import Fence
from wick_operator.pool.audit import EVERY, LOOKS, Audit
from wick_operator.pool.registrar import Known, Registrar

PACE = 20
"""Patience passes so many times faster than the test's time, where a test waits for its end."""


@pytest.fixture
async def registrar(world):
    """Running, with a view of the function's Deployment that the test sets."""
    async with following(world, 1) as view:
        yield view


@pytest.fixture
async def impatient(world):
    """The same, which soon gives up what nobody goes on with; and a stall of the machine may be all its patience."""
    async with following(world, PACE) as view:
        yield view


@contextlib.asynccontextmanager
async def following(world, pace):
    known = Known(exists=True, replicas=0, current="")
    holder = {"known": known}
    fence = Fence(world.cluster, lambda: 60.0, PATIENCE)
    made = Registrar(
        world.cluster,
        fence,
        world.session,
        lambda _: holder["known"],
        lambda _: None,
        (world.namespace,),
        lambda: pace * monotonic(),
    )
    task = asyncio.create_task(made.run())
    yield holder
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def replicas(world):
    return (await world.cluster.get(DEPLOYMENTS, world.namespace, "hello"))["spec"].get("replicas", 0)


def owner(pod):
    return [each["kind"] for each in pod["metadata"].get("ownerReferences", ()) if each.get("controller")]


async def test_the_functions_own_replica_set_adopts_the_pod_and_drops_the_one_it_had_made(world, registrar):
    [pod] = await world.pool(1)
    function = await world.function(resources={"requests": {"cpu": "77m"}})
    started = await world.start(function)
    registrar["known"] = Known(exists=True, replicas=1, current=started.pod["metadata"]["labels"][names.REVISION])
    await world.cluster.scale(world.namespace, "hello", 1, field_manager=names.ROUTER)

    async def settled():
        pods = await world.pods()
        return list(pods) == [pod["metadata"]["name"]] and owner(pods[pod["metadata"]["name"]]) == ["ReplicaSet"]

    await eventually_async(settled)
    assert await world.ask(pod) == (200, "hello nobody")
    adopted = (await world.pods())[pod["metadata"]["name"]]

    async def resized():
        now = await world.cluster.get(PODS, world.namespace, adopted["metadata"]["name"])
        return now["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "77m"

    await eventually_async(resized)


async def test_a_pod_is_adopted_once_the_replica_sets_controller_knows_that_it_is_wanted(
    world, registrar, controlled_plane
):
    [pod] = await world.pool(1)
    function = await world.function()

    async def own():
        return await world.cluster.list(REPLICA_SETS, world.namespace, labels=names.FUNCTION)

    async def owners():
        return owner(await world.cluster.get(PODS, world.namespace, pod["metadata"]["name"]))

    async def released():
        return await owners() == []

    [wanted] = await eventually_async(own)
    registrar["known"] = Known(exists=True, replicas=1, current=function.status["revision"])
    await world.start(function)
    await eventually_async(released)
    controllers = controlled_plane.servers["kube-controller-manager"].process
    controllers.send_signal(signal.SIGSTOP)
    try:
        one = {"spec": {"replicas": 1}}
        await world.cluster.patch(REPLICA_SETS, world.namespace, wanted["metadata"]["name"], one, field_manager="test")
        await asyncio.sleep(0.5)  # a registrar that did not wait would adopt in a hundredth of that
        assert await owners() == []
        await world.cluster.scale(world.namespace, "hello", 1, field_manager=names.ROUTER)
    finally:
        controllers.send_signal(signal.SIGCONT)

    async def adopted():
        return list(await world.pods()) == [pod["metadata"]["name"]] and await owners() == ["ReplicaSet"]

    await eventually_async(adopted)


async def test_a_router_that_died_before_scaling_is_finished_for(world, registrar):
    [pod] = await world.pool(1)
    function = await world.function()
    await world.start(function)

    async def woken():
        return await replicas(world) == 1

    await eventually_async(woken)
    registrar["known"] = Known(exists=True, replicas=1, current=function.status["revision"])

    async def adopted():
        pods = await world.pods()
        return list(pods) == [pod["metadata"]["name"]] and owner(pods[pod["metadata"]["name"]]) == ["ReplicaSet"]

    await eventually_async(adopted)


@pytest.mark.usefixtures("registrar")
async def test_waking_never_undoes_what_the_autoscaler_wrote_meanwhile(world):
    await world.pool(1)
    function = await world.function()
    await world.cluster.scale(world.namespace, "hello", 5, field_manager=names.AUTOSCALER)
    await world.start(function)  # the registrar's view still says 0
    await asyncio.sleep(1)
    assert await replicas(world) == 5


@pytest.mark.usefixtures("impatient")
async def test_a_pod_whose_router_died_before_it_got_its_function_goes(world):
    [pod] = await world.pool(1)
    function = await world.function()
    router = await world.informed()
    revision = await router._revisions.get(function.key, function.status["revision"])
    name = pod["metadata"]["name"]
    await world.cluster.patch(
        PODS, world.namespace, name, warm.claim(pod, function, revision), field_manager=names.ROUTER
    )

    async def gone():
        return name not in await world.pods()

    await eventually_async(gone)
    assert await replicas(world) == 0


async def test_a_pod_that_took_a_function_and_was_never_claimed_is_found_and_one_that_waits_is_left(world):
    """The router died between the two; the operator asks each pod what it is, and believes the third answer."""
    taken, waiting = await world.pool(2)
    fence = Fence(world.cluster, lambda: 60.0, PATIENCE)
    audit = Audit(fence, world.session)
    for pod in (taken, waiting):
        audit.seen(pod, 0.0)
    router = await world.informed()
    started = await router.start(await world.function())
    assert started.pod["metadata"]["name"] == taken["metadata"]["name"]

    async def names_left():
        pods = await world.cluster.list(PODS, world.namespace, labels=names.POOL)
        return {pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]}

    for look in range(1, LOOKS):
        await audit.look(look * EVERY)
    assert taken["metadata"]["name"] in await names_left()
    await audit.look(LOOKS * EVERY)
    left = await names_left()
    assert taken["metadata"]["name"] not in left
    assert waiting["metadata"]["name"] in left


@pytest.mark.usefixtures("registrar")
async def test_a_pod_whose_code_does_not_load_goes(world):
    await world.pool(1)
    function = await world.function("1 / 0\n")
    await world.start(function)

    async def gone():
        return not await world.pods()

    await eventually_async(gone)


async def test_a_claim_of_a_function_that_is_gone_goes(world, impatient):
    await world.pool(1)
    function = await world.function()
    impatient["known"] = Known(exists=False, replicas=None, current="")
    await world.start(function)

    async def gone():
        return not await world.pods()

    await eventually_async(gone)
