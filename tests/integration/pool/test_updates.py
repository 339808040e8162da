"""A new revision of a running function through the pool, with kube-controller-manager's Deployments."""

import msgspec
import pytest
from msgspec import Raw, structs

from cluster.meanwhile import meanwhile
from cluster.waiting import PATIENCE, eventually_async
from wick_api import names, warm
from wick_kube.resource import PODS, REPLICA_SETS
from wick_operator.leader.fenced_writer import FencedWriter
from wick_operator.pool.adopter import FunctionFacts
from wick_operator.pool.decisions.adoption import home
from wick_operator.pool.update import Updates

NEW = "def handle(request):\n    return 'new'\n"


async def adopted(world, function):
    """Have a warm pod become the function's own, while the operator's part that does so is at work; its name."""
    started = await world.start(function)
    await world.cluster.scale(world.namespace, "hello", 1, field_manager=names.ROUTER)
    old = started.pod["metadata"]["name"]

    async def so():
        return owned(await world.pods(), old)

    await eventually_async(so)
    return old


@pytest.fixture
async def parts(world):
    """A function that is to run in one of two warm pods, what gives updates warm pods, and what the operator knows."""
    await world.pool(2)
    function = await world.function()
    fence = FencedWriter(world.cluster, lambda: 60.0, PATIENCE)
    updates = Updates(world.cluster, fence, lambda _: function, "the installation's secret")
    async with meanwhile(updates.run()):
        yield function, updates, FunctionFacts(exists=True, replicas=1, current=function.status["revision"])


@pytest.fixture
async def running(world, parts):
    """A function that runs in one adopted pod, a warm pod beside it, and the operator's parts at work."""
    function, updates, known = parts
    async with world.operator(lambda: known, rolled=updates.consider):
        yield function, await adopted(world, function)


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


@pytest.mark.parametrize(("observed", "owner"), [(True, ["ReplicaSet"]), (False, ["Function"])])
async def test_an_update_adopts_its_pod_itself_once_the_replica_sets_controller_knows(world, parts, observed, owner):
    function, updates, known = parts
    async with world.operator(lambda: known):
        await adopted(world, function)
    warm = await free(world)
    revision = await world.update(function, NEW)

    async def homes():
        listed = await world.cluster.list(REPLICA_SETS, world.namespace, labels=names.FUNCTION)
        found = [home(Raw(msgspec.json.encode(each))) for each in listed]
        wanted = [each for each in found if each]
        assert {each.revision for each in wanted if each.observed} == {function.status["revision"], revision}
        return [structs.replace(each, ready=each.revision != revision, observed=observed) for each in wanted]

    updates.consider(function.key, await eventually_async(homes))

    async def claimed():
        pod = await world.cluster.get(PODS, world.namespace, warm["metadata"]["name"])
        assert names.POOL not in pod["metadata"]["labels"]
        return [each["kind"] for each in pod["metadata"]["ownerReferences"]]

    assert await eventually_async(claimed) == owner


async def test_an_update_asks_warm_pods_before_dormant_ones(world, parts):
    function, updates, _ = parts
    await world.pool(1, dormant=True)
    free = await updates._free(function)
    assert [warm.is_dormant(pod) for pod in free] == [False, False, True]
