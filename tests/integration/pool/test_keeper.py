"""The pool's own Deployment, kept by the operator's part that does so."""

import contextlib
import json
from time import monotonic

from cluster.meanwhile import meanwhile
from cluster.waiting import PATIENCE, eventually_async
from wick_kube.resource import NAMESPACES
from wick_operator.config import Config
from wick_operator.fence import Fence
from wick_operator.pool.audit import Audit
from wick_operator.pool.keeper import Keeper
from wick_operator.pool.settings import ANNOTATION


@contextlib.asynccontextmanager
async def keeping(world, function, **installation):
    """A keeper that knows this one function."""
    config = Config(pool_key="the installation's secret", pools=json.dumps({"python": installation}))
    fence = Fence(world.cluster, lambda: 60.0, PATIENCE)
    known = {function.key: function}
    audit = Audit(fence, world.session)
    keeper = Keeper(world.cluster, fence, config, known.get, lambda _: None, audit, monotonic)
    keeper.touch(function.key)
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
