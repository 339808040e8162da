"""An instance from the warm pool has its function's own limits, and what it cannot have is told."""

from contextlib import suppress

import pytest

from cluster.waiting import eventually_async
from operating.world import condition, function
from operating.world import world as operating
from wick_api import names
from wick_kube.error import ApiRefused
from wick_kube.resource import PODS

INFEASIBLE = "Node didn't have enough capacity: cpu, requested: 50000, capacity: 2000"
LARGE = {"requests": {"cpu": "50", "memory": "32Mi"}, "limits": {"memory": "64Mi"}}


@pytest.fixture
def platform(world, controlled_plane, tmp_path):
    """The operator's process, which follows this namespace and keeps a pool in it."""
    with operating(controlled_plane, tmp_path) as made:
        made.operator(namespaces=world.namespace, pool_key="the installation's secret").wait_until_it_leads()
        yield made


async def serving(world, platform, **spec):
    """The pod from the pool that serves such a function."""
    platform.apply(world.namespace, function(**spec))
    platform.ready("hello", world.namespace, "Idle")
    [pod] = await world.run_pool(1)
    await kubelet(world, pod["metadata"]["name"], limits={"memory": "256Mi"})  # the pool's, which its kubelet reports
    started = await world.start(await world.present())
    with suppress(ApiRefused):
        await world.cluster.scale(world.namespace, "hello", 1, field_manager=names.ROUTER)
    return started.pod["metadata"]["name"]


async def has(world, name, **wanted):
    """Wait until the pod's spec has these: `requests_cpu="50"`."""

    async def so():
        resources = (await world.cluster.get(PODS, world.namespace, name))["spec"]["containers"][0]["resources"]
        for each, amount in wanted.items():
            part, _, resource = each.partition("_")
            assert resources[part].get(resource) == amount, resources
        return resources

    return await eventually_async(so)


async def kubelet(world, name, *conditions, **resources):
    pod = await world.cluster.get(PODS, world.namespace, name)
    container = {"name": "function", "ready": True, "image": "x", "imageID": "", "restartCount": 0}
    container |= {"state": {"running": {}}, "resources": resources}
    kept = [each for each in pod["status"]["conditions"] if each["type"] == "Ready"]
    status = {"conditions": [*kept, *conditions], "containerStatuses": [container]}
    await world.cluster.patch(
        PODS, world.namespace, name, {"status": status}, field_manager="kubelet", subresource="status"
    )


async def test_limits_come_first_and_hold_and_what_the_node_lacks_is_told_in_its_words(world, platform):
    name = await serving(world, platform, resources=LARGE)
    await has(world, name, limits_memory="64Mi", requests_cpu="10m")
    await kubelet(world, name, limits={"memory": "64Mi"})
    await has(world, name, limits_memory="64Mi", requests_cpu="50", requests_memory="32Mi")
    pending = {"type": "PodResizePending", "status": "True", "reason": "Infeasible", "message": INFEASIBLE}
    await kubelet(world, name, pending, limits={"memory": "64Mi"})
    status = platform.status(
        "hello", world.namespace, lambda status: condition(status, "Scaled").get("status") == "False"
    )
    assert INFEASIBLE in status["why"]
    assert "not with the resources asked for" in status["why"]
    assert condition(status, "Scaled")["reason"] == "Unschedulable"
    assert condition(status, "Ready")["status"] == "True", "requests are answered"
    await kubelet(world, name, limits={"memory": "64Mi"})
    platform.status("hello", world.namespace, lambda status: condition(status, "Scaled").get("status") == "True")


async def test_a_quota_that_refuses_the_requests_leaves_the_limits_and_is_told(world, platform):
    platform.apply(
        world.namespace,
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "small"},
            "spec": {"hard": {"requests.cpu": "2"}},
        },
    )
    name = await serving(world, platform, resources=LARGE)
    await has(world, name, limits_memory="64Mi", requests_cpu="10m")
    await kubelet(world, name, limits={"memory": "64Mi"})
    status = platform.status(
        "hello", world.namespace, lambda status: condition(status, "Scaled").get("status") == "False"
    )
    assert "exceeded quota: small" in status["why"]


async def test_what_needs_no_more_room_is_given_in_one_step(world, platform):
    small = {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}
    name = await serving(world, platform, resources=small)
    await has(world, name, limits_memory="64Mi", requests_cpu="5m", requests_memory="16Mi")
