"""Claims as a router makes them, on a real API server and real runtimes."""

import asyncio

import pytest

from cluster.waiting import eventually_async
from wick_api import names, warm
from wick_api.reason import Reason
from wick_api.warm import Obstacle
from wick_kube.resource import PODS
from wick_operator.pool.adopter import FunctionFacts
from wick_router.kubernetes.decisions.outcome import CodeBroken, WarmStarted


async def test_a_claimed_pod_serves_the_function_with_its_environment_and_the_pool_refills(world):
    [waiting] = await world.pool(1)
    function = await world.function(env=[{"name": "WHO", "value": "world"}])
    router = await world.informed()
    started = await router.start(function)
    assert isinstance(started, WarmStarted)
    assert [name for name, _ in started.phases] == ["transfer", "fork", "import", "init"]
    assert await world.ask(started.pod) == (200, "hello world")
    assert await router.register(started)
    assert list(await world.pods()) == [waiting["metadata"]["name"]]

    async def refilled():
        pool = await world.cluster.list(PODS, world.namespace, labels=names.POOL)
        return [pod["metadata"]["name"] for pod in pool] not in ([], [waiting["metadata"]["name"]])

    await eventually_async(refilled)


async def test_a_dormant_pod_wakes_for_its_function_and_becomes_its_deployments(world):
    [waiting] = await world.pool(1, dormant=True)
    function = await world.function(env=[{"name": "WHO", "value": "world"}])
    router, woken = await world.informed(), []
    started = await router.start(function, lambda: woken.append(waiting))
    assert [name for name, _ in started.phases] == ["transfer", "wake", "fork", "import", "init"]
    assert woken == [waiting], "claims of others wait meanwhile"
    assert await world.ask(started.pod) == (200, "hello world")
    assert await router.register(started)
    known = FunctionFacts(exists=True, replicas=1, current=function.status["revision"])
    async with world.operator(lambda: known):
        await world.cluster.scale(world.namespace, "hello", 1, field_manager=names.ROUTER)
        settled = await world.settled_in(waiting)
    assert not warm.is_dormant(settled)


async def test_a_warm_pod_is_taken_before_a_dormant_one(world):
    await world.pool(1, dormant=True)
    [awake] = await world.pool(1)
    function = await world.function()
    started = await (await world.informed()).start(function, lambda: pytest.fail("a dormant pod was woken"))
    assert started.pod["metadata"]["uid"] == awake["metadata"]["uid"]


async def test_a_claim_is_written_once_though_the_pod_changed_and_the_first_answer_was_lost(world):
    [pod] = await world.pool(1)
    router = await world.informed()
    started = await router.start(await world.function())
    where = (PODS, world.namespace, pod["metadata"]["name"])
    await world.cluster.patch(*where, {"metadata": {"annotations": {"a": "b"}}}, field_manager="test")
    assert await router.register(started)
    claimed = await world.cluster.get(*where)
    assert claimed["metadata"]["labels"] == started.pod["metadata"]["labels"]
    assert await router.register(started)
    assert await world.cluster.get(*where) == claimed


async def test_a_pod_that_went_before_its_claim_is_told_as_lost(world):
    [pod] = await world.pool(1)
    router = await world.informed()
    started = await router.start(await world.function())
    await world.cluster.delete(PODS, world.namespace, pod["metadata"]["name"], grace=0)
    assert not await router.register(started)


async def test_routers_that_start_one_function_share_one_pod(world):
    await world.pool(2)
    function = await world.function(scale={"max": 1})
    routers = [await world.informed() for _ in range(3)]
    outcomes = await asyncio.gather(*(router.start(function) for router in routers))
    assert len({outcome.pod["metadata"]["uid"] for outcome in outcomes}) == 1
    assert all([await router.register(each) for router, each in zip(routers, outcomes, strict=True)])
    assert len(await world.pods()) == 1
    assert len(await world.waiting()) == 2, "the pool has refilled by one"


async def test_a_router_that_comes_later_and_does_not_know_that_the_pod_is_taken_shares_it_too(world):
    await world.pool(2)
    function = await world.function(scale={"max": 1})
    first, second = await world.informed(), await world.informed()
    one = await first.start(function)
    other = await second.start(function)
    assert one.pod["metadata"]["uid"] == other.pod["metadata"]["uid"]


async def test_routers_that_share_a_pod_are_all_told_that_the_code_does_not_load(world):
    await world.pool(2)
    function = await world.function("import nothing_of_the_kind\n")
    routers = [await world.informed() for _ in range(2)]
    outcomes = await asyncio.gather(*(router.start(function) for router in routers))
    assert [outcome.failure.reason for outcome in outcomes] == [Reason.LOAD_FAILED] * 2
    assert len({outcome.pod["metadata"]["uid"] for outcome in outcomes}) == 1


async def test_the_loser_of_a_race_between_two_functions_takes_the_next_pod(world):
    await world.pool(2)
    functions = [await world.function(name=name) for name in ("one", "two")]
    routers = [await world.informed() for _ in range(2)]
    outcomes = await asyncio.gather(
        *(router.start(function) for router, function in zip(routers, functions, strict=True))
    )
    assert len({outcome.pod["metadata"]["uid"] for outcome in outcomes}) == 2


async def test_code_that_does_not_load_is_told_with_file_and_line(world):
    await world.pool(1)
    function = await world.function("import nothing_of_the_kind\n")
    broken = await (await world.informed()).start(function)
    assert isinstance(broken, CodeBroken)
    assert broken.failure.reason is Reason.LOAD_FAILED
    assert "main.py:1" in broken.failure.message
    assert "nothing_of_the_kind" in broken.failure.message
    assert names.STANDS_IN_FOR not in broken.claim["metadata"]["labels"], "its own pods would wait for nothing"


async def test_an_empty_pool_is_an_obstacle_not_an_error(world):
    function = await world.function()
    assert await (await world.informed()).start(function) is Obstacle.EMPTY


async def test_a_dead_runtime_is_an_obstacle_and_not_waited_for(world):
    await world.pool(1)
    function = await world.function()
    for process in world.runtimes.values():
        process.terminate()
        await process.wait()
    assert await (await world.informed()).start(function) is Obstacle.REFUSED


async def test_a_pod_takes_one_function_from_who_knows_its_token_and_never_a_second(world):
    [pod] = await world.pool(1)
    address = pod["status"]["podIP"]
    order = {"function": "f", "handler": "main:handle", "files": {"main.py": "def handle(r): return 'x'\n"}}

    async def specialize(token):
        url = f"http://{address}:{names.CONTROL_PORT}/specialize"
        async with world.session.post(url, json=order, headers={"Authorization": f"Bearer {token}"}) as answer:
            return answer.status

    digest = next(v["value"] for v in pod["spec"]["containers"][0]["env"] if v["name"] == "KUBEWICK_TOKEN_SHA256")
    token = warm.token("the installation's secret", world.namespace, "python")
    assert await specialize("guess") == 401
    assert await specialize(digest) == 401
    assert await specialize(token) == 200
    assert await specialize(token) == 409, "an order without a revision repeats none"


async def test_two_routers_that_start_one_function_at_once_leave_one_pod(world):
    both = await world.pool(2)
    function = await world.function()
    known = FunctionFacts(exists=True, replicas=1, current=function.status["revision"])
    async with world.operator(lambda: known):
        routers = [await world.informed(), await world.informed()]
        started = await asyncio.gather(*(router.start(function) for router in routers))
        assert all([await router.register(each) for router, each in zip(routers, started, strict=True)])
        await world.cluster.scale(world.namespace, "hello", 1, field_manager=names.ROUTER)

        async def one():
            pods = await world.pods()
            return [world.owners(each) for each in pods.values()] == [["ReplicaSet"]]

        await eventually_async(one)
    [left] = (await world.pods()).values()
    assert left["metadata"]["name"] in {each["metadata"]["name"] for each in both}
    assert await world.ask(left) == (200, "hello nobody")
