"""What the operator does about claimed pods, with kube-controller-manager's ReplicaSets."""

import contextlib
import signal

import pytest
from msgspec import structs

from cluster.waiting import PATIENCE, eventually_async
from operating.proxy import proxy
from wick_api import names, warm
from wick_kube.cluster import Cluster
from wick_kube.resource import DEPLOYMENTS, PODS, REPLICA_SETS
from wick_operator.leader.fenced_writer import FencedWriter
from wick_operator.pool.adopter import FunctionFacts
from wick_operator.pool.audit import EVERY, LOOKS, PoolAudit

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
    holder = {"known": FunctionFacts(exists=True, replicas=0, current="")}
    async with world.operator(lambda: holder["known"], pace=pace):
        yield holder


async def test_the_functions_own_replica_set_adopts_the_pod_and_drops_the_one_it_had_made(world, registrar):
    [pod] = await world.pool(1)
    function = await world.function(resources={"requests": {"cpu": "77m"}})
    started = await world.start(function)
    registrar["known"] = FunctionFacts(
        exists=True, replicas=1, current=started.pod["metadata"]["labels"][names.REVISION]
    )
    await world.cluster.scale(world.namespace, "hello", 1, field_manager=names.ROUTER)

    adopted = await world.settled_in(pod)
    assert await world.ask(pod) == (200, "hello nobody")
    assert adopted["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "77m"


@contextlib.contextmanager
def stopped(plane):
    """Controllers that see nothing and do nothing."""
    controllers = plane.servers["kube-controller-manager"].process
    controllers.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        controllers.send_signal(signal.SIGCONT)


class Looks:
    """The registrar's view, which counts how often it looks; a look is over once the next one begins."""

    def __init__(self, function, replicas):
        self.known = FunctionFacts(exists=True, replicas=replicas, current=function.status["revision"])
        self.count, self.homes = 0, ()

    def __call__(self):
        self.count += 1
        return self.known

    def rolled(self, _key, homes):
        self.homes = homes

    async def again(self):
        """Wait for a whole look from now on."""
        enough = self.count + 2
        await self.until(lambda: self.count >= enough)

    async def until(self, condition):
        async def so():
            return condition()

        await eventually_async(so)


async def test_a_pod_is_adopted_once_the_replica_sets_controller_knows_that_it_is_wanted(world, controlled_plane):
    [pod] = await world.pool(1)
    function = await world.function()

    async def own():
        return await world.cluster.list(REPLICA_SETS, world.namespace, labels=names.FUNCTION)

    async def released():
        return world.owners(await world.cluster.get(PODS, world.namespace, pod["metadata"]["name"])) == []

    [wanted] = await eventually_async(own)
    looks = Looks(function, 1)
    async with world.operator(looks, rolled=looks.rolled):
        await world.start(function)
        await eventually_async(released)
        with stopped(controlled_plane):
            change = {"spec": {"replicas": 1}}
            where = (REPLICA_SETS, world.namespace, wanted["metadata"]["name"])
            await world.cluster.patch(*where, change, field_manager="test")
            await looks.until(lambda: [home.observed for home in looks.homes] == [False])
            await looks.again()
            assert await released()
            await world.cluster.scale(world.namespace, "hello", 1, field_manager=names.ROUTER)
        await world.settled_in(pod)


async def test_a_pod_that_a_router_of_an_older_release_claimed_is_adopted_too(world, registrar):
    [pod] = await world.pool(1)
    function = await world.function()
    router = await world.informed()
    started = await router.start(function)
    assert await router.register(structs.replace(started, claim=warm.useless(started.claim)))
    registrar["known"] = FunctionFacts(exists=True, replicas=1, current=function.status["revision"])
    await world.cluster.scale(world.namespace, "hello", 1, field_manager=names.ROUTER)
    await world.settled_in(pod)


async def test_a_router_that_died_before_scaling_is_finished_for(world, registrar):
    [pod] = await world.pool(1)
    function = await world.function()
    await world.start(function)

    async def woken():
        return await world.replicas() == 1

    await eventually_async(woken)
    registrar["known"] = FunctionFacts(exists=True, replicas=1, current=function.status["revision"])
    await world.settled_in(pod)


async def test_waking_never_undoes_what_the_autoscaler_wrote_meanwhile(world, controlled_plane, tmp_path):
    await world.pool(1)
    function = await world.function()
    looks = Looks(function, 0)  # it has not heard of the 5, and neither has the ReplicaSet
    with proxy(controlled_plane) as door, stopped(controlled_plane):
        await world.cluster.scale(world.namespace, "hello", 5, field_manager=names.AUTOSCALER)
        async with (
            await Cluster.connect(str(door.kubeconfig(tmp_path))) as cluster,
            world.operator(looks, cluster=cluster, pace=PACE),
        ):
            await world.start(function)
            await looks.until(lambda: any(call.path.endswith("/scale") for call in door.seen))
            await looks.again()
            assert await world.replicas() == 5


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
    assert await world.replicas() == 0


async def test_a_pod_that_took_a_function_and_was_never_claimed_is_found_and_one_that_waits_is_left(world):
    """The router died between the two; the operator asks each pod what it is, and believes the third answer."""
    both = await world.pool(2)
    audit = PoolAudit(FencedWriter(world.cluster, lambda: 60.0, PATIENCE), world.session)
    for pod in both:
        audit.seen(pod, 0.0)
    router = await world.informed()
    started = await router.start(await world.function())
    [taken] = [pod for pod in both if pod["metadata"]["uid"] == started.pod["metadata"]["uid"]]
    [waiting] = [pod for pod in both if pod is not taken]

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


async def test_a_claimed_pod_has_what_its_function_asks_for_before_any_replica_set_wants_it(world, registrar):
    [pod] = await world.pool(1)
    function = await world.function(resources={"requests": {"cpu": "77m"}})
    template = (await world.cluster.get(DEPLOYMENTS, world.namespace, "hello"))["spec"]["template"]
    wanted = template["spec"]["containers"][0]["resources"]
    registrar["known"] = FunctionFacts(
        exists=True, replicas=None, current=function.status["revision"], resources=wanted
    )
    await world.start(function)

    async def resized():
        own = (await world.pods())[pod["metadata"]["name"]]
        assert own["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "77m"
        return not world.owners(own)

    await eventually_async(resized)


async def test_a_pod_whose_container_was_restarted_goes_for_it_has_no_function_any_more(world, registrar):
    [pod] = await world.pool(1)
    function = await world.function()
    await world.start(function)
    registrar["known"] = FunctionFacts(exists=True, replicas=1, current=function.status["revision"])
    await world.cluster.scale(world.namespace, "hello", 1, field_manager=names.ROUTER)
    await world.settled_in(pod)
    restarted = {"name": "function", "image": "", "imageID": "", "ready": True, "restartCount": 1}
    name, change = pod["metadata"]["name"], {"status": {"containerStatuses": [restarted]}}
    await world.cluster.patch(PODS, world.namespace, name, change, field_manager="kubelet", subresource="status")

    async def gone():
        return name not in await world.pods()

    await eventually_async(gone)


async def test_a_claim_of_a_function_that_is_gone_goes(world, impatient):
    await world.pool(1)
    function = await world.function()
    impatient["known"] = FunctionFacts(exists=False, replicas=None, current="")
    await world.start(function)

    async def gone():
        return not await world.pods()

    await eventually_async(gone)
