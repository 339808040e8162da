"""The pool's own Deployment, kept by the operator's part that does so."""

import contextlib
import json
from time import monotonic

import pytest
from msgspec import structs

from arbitrary.functions import make
from cluster.meanwhile import meanwhile
from cluster.waiting import PATIENCE, eventually_async
from wick_api import names
from wick_api.scale import Scale
from wick_kube.resource import DEPLOYMENTS, NAMESPACES
from wick_operator.config import OperatorConfig
from wick_operator.leader.fenced_writer import FencedWriter
from wick_operator.pool.audit import PoolAudit
from wick_operator.pool.controller import PoolController
from wick_operator.pool_settings import ANNOTATION


@contextlib.asynccontextmanager
async def keeping(world, *functions, **installation):
    """A keeper that knows these functions."""
    config = OperatorConfig(pool_key="the installation's secret", pools=json.dumps({"python": installation}))
    fence = FencedWriter(world.cluster, lambda: 60.0, PATIENCE)
    known = {function.key: function for function in functions}
    audit = PoolAudit(fence, world.session)
    keeper = PoolController(world.cluster, fence, config, known.get, lambda _: None, audit, monotonic)
    for key in known:
        keeper.touch(key)
    async with meanwhile(keeper.run()):
        yield


async def annotate(world, **settings):
    """Set the namespace's own settings."""
    change = {"metadata": {"annotations": {ANNOTATION: json.dumps({"python": settings})}}}
    await world.cluster.patch(NAMESPACES, None, world.namespace, change, field_manager="test")


def preload(pod):
    env = pod["spec"]["containers"][0]["env"]
    return next((each["value"] for each in env if each["name"] == "KUBEWICK_PRELOAD"), None)


async def pods_that_preload(world, wanted):
    """Wait until every warm pod preloads this; they are started as they come."""

    async def so():
        found = (await world.waiting()).values()
        for pod in found:
            if preload(pod) == wanted and not pod["status"].get("podIP"):
                await world.run(pod)
        assert [preload(pod) for pod in found] == [wanted]
        return found

    return await eventually_async(so)


async def test_what_to_preload_reaches_the_pods_and_a_change_of_it_renews_them(world):
    function = await world.function(
        "import sys\nFOUND = 'colorsys' in sys.modules\n\ndef handle():\n    return str(FOUND)\n"
    )
    async with keeping(world, function, preload=["json"]):
        [first] = await pods_that_preload(world, "json")
        await annotate(world, preload=["colorsys", "not_there"])
        [second] = await pods_that_preload(world, "colorsys,not_there")
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    started = await world.start(function)
    assert await world.ask(started.pod) == (200, "True")


def some(world, count):
    """Functions that need not be in the cluster: the keeper reads the operator's view."""
    made = [make(f"f{number}") for number in range(count)]
    return [structs.replace(each, metadata=structs.replace(each.metadata, namespace=world.namespace)) for each in made]


async def sizes(world):
    """Pods asked for, by Deployment."""
    pools = await world.cluster.list(DEPLOYMENTS, world.namespace, labels=names.POOL)
    return {each["metadata"]["name"]: each["spec"]["replicas"] for each in pools}


AWAKE, ASLEEP = "kubewick-pool-python", "kubewick-dormant-python"


@pytest.mark.parametrize(
    ("functions", "wanted"), [(1, {AWAKE: 1}), (4, {AWAKE: 1, ASLEEP: 3}), (9, {AWAKE: 1, ASLEEP: 5})]
)
async def test_dormant_pods_are_kept_for_the_functions_that_the_warm_ones_do_not_reach(world, functions, wanted):
    async with keeping(world, *some(world, functions), dormant=5):
        await eventually_async(lambda: _is(sizes(world), wanted))


async def test_dormant_pods_go_when_a_namespace_wants_none_and_the_warm_ones_stay(world):
    async with keeping(world, *some(world, 4), dormant=5):
        await eventually_async(lambda: _is(sizes(world), {AWAKE: 1, ASLEEP: 3}))
        await annotate(world, dormant=0)
        await eventually_async(lambda: _is(sizes(world), {AWAKE: 1}))
        await annotate(world, dormant=1)
        await eventually_async(lambda: _is(sizes(world), {AWAKE: 1, ASLEEP: 1}))


async def test_a_function_that_never_rests_needs_no_dormant_pod(world):
    always = structs.replace(some(world, 1)[0].spec, scale=Scale(min=1))
    resting, *others = some(world, 4)
    async with keeping(world, resting, *(structs.replace(each, spec=always) for each in others), dormant=5):
        await eventually_async(lambda: _is(sizes(world), {AWAKE: 1}))
        await annotate(world, min=0)
        await eventually_async(lambda: _is(sizes(world), {AWAKE: 0, ASLEEP: 1}))


async def _is(found, wanted):
    assert await found == wanted
    return True
