"""A new revision of a running function through the pool, with kube-controller-manager's Deployments."""

import pytest

from cluster.meanwhile import meanwhile
from cluster.waiting import PATIENCE, eventually_async
from wick_api import names
from wick_kube.resource import PODS
from wick_operator.fence import Fence
from wick_operator.pool.registrar import Known
from wick_operator.pool.update import Updates

NEW = "def handle(request):\n    return 'new'\n"


@pytest.fixture
async def running(world):
    """A function that runs in one adopted pod, a warm pod beside it, and the operator's parts at work."""
    await world.pool(2)
    function = await world.function()
    fence = Fence(world.cluster, lambda: 60.0, PATIENCE)
    updates = Updates(world.cluster, fence, lambda _: function, "the installation's secret")
    known = Known(exists=True, replicas=1, current=function.status["revision"])
    async with meanwhile(updates.run()), world.operator(lambda: known, rolled=updates.consider):
        started = await world.start(function)
        await world.cluster.scale(world.namespace, "hello", 1, field_manager=names.ROUTER)
        old = started.pod["metadata"]["name"]

        async def adopted():
            return owned(await world.pods(), old)

        await eventually_async(adopted)
        yield function, old


def owned(pods, name):
    """Whether the pod is the function's only one, and a ReplicaSet's; says whose each pod is where it is not."""
    owners = {
        each: [owner["kind"] for owner in pod["metadata"].get("ownerReferences", ())] for each, pod in pods.items()
    }
    assert list(owners) == [name], owners
    assert "ReplicaSet" in owners[name], owners
    return True


async def free(world):
    """The warm pod that waits, by name."""
    pods = await world.cluster.list(PODS, world.namespace, labels=names.POOL)
    [pod] = [pod for pod in pods if pod.get("status", {}).get("podIP") and "deletionTimestamp" not in pod["metadata"]]
    return pod


async def test_an_update_serves_from_a_warm_pod_and_the_deployment_takes_it_for_its_own(world, running):
    function, _ = running
    warm = await free(world)
    revision = await world.update(function, NEW)

    async def only():
        return owned(await world.pods(), warm["metadata"]["name"])

    await eventually_async(only)
    [pod] = (await world.pods()).values()
    assert pod["metadata"]["labels"][names.REVISION] == revision
    assert await world.ask(pod) == (200, "new")


async def test_an_update_that_does_not_load_costs_its_warm_pod_and_the_old_revision_goes_on(world, running):
    function, old = running
    warm = await free(world)
    revision = await world.update(function, "import nothing_of_the_kind\n")

    async def discarded():
        left = await world.cluster.find(PODS, world.namespace, warm["metadata"]["name"])
        return left is None or "deletionTimestamp" in left["metadata"]

    await eventually_async(discarded)
    pods = await world.pods()
    assert await world.ask(pods[old]) == (200, "hello nobody")
    news = [pod for pod in pods.values() if pod["metadata"]["labels"][names.REVISION] == revision]
    assert not any(names.CLAIMED_BY in pod["metadata"]["labels"] for pod in news)
