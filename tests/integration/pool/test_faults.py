"""Faults in the middle of a claim: each ends right, with nothing left behind.

Two routers racing for one pod, a router that dies before it scales, and a pod that goes before its claim are in
`test_claims` and `test_registrar`.
"""

import asyncio
import contextlib
import copy
from time import monotonic

import aiohttp
import pytest
from aiohttp import web

from cluster.waiting import PATIENCE, eventually_async
from wick_api import names
from wick_kube.cluster import Cluster
from wick_kube.error import ApiError
from wick_kube.resource import PODS
from wick_operator.fence import Fence
from wick_operator.pool.audit import EVERY, LOOKS, Audit
from wick_operator.pool.registrar import Known, Registrar
from wick_router.kubernetes.claim import Claims, Started
from wick_router.kubernetes.warm import WarmPods

LOST = "lost"
"""The write is done, and its answer lost with the connection."""


class Moody:
    """A door to the real API server that answers the next writes as it was told."""

    def __init__(self, cluster):
        self.cluster, self.moods, self.away = cluster, [], False
        self.open = asyncio.Event()
        """Until it is set again, answers are late."""
        self.open.set()

    async def handle(self, request):
        await self.open.wait()
        mood = self.moods.pop(0) if request.method == "PATCH" and self.moods else None
        if isinstance(mood, int) or self.away:
            status = mood or 500
            return web.json_response(
                {"kind": "Status", "status": "Failure", "code": status, "message": "a bad day", "reason": "Test"},
                status=status,
                headers={"Retry-After": "0"} if status == 429 else {},
            )
        body = await request.json() if request.can_read_body else None
        try:
            answer = await self.cluster.call(
                request.method, request.path, query=dict(request.query), body=body, content_type=request.content_type
            )
        except ApiError as error:
            return web.json_response({"kind": "Status", "code": error.status}, status=error.status)
        if mood == LOST:
            request.transport.abort()
        return web.Response(body=answer, content_type="application/json")


@pytest.fixture
async def moody(world):
    """A door, and a router that sees the API server through it; `moody.router()` makes it know the pool."""
    door = Moody(world.cluster)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", door.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    configuration = copy.copy(world.cluster.configuration)
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with Cluster(configuration) as through, aiohttp.ClientSession() as session:

        async def router():
            warm = WarmPods(lambda pods: pods[0])
            for pod in await world.cluster.list(PODS, world.namespace, labels=names.POOL):
                warm.changed((world.namespace, pod["metadata"]["name"]), pod, None)
            return Claims(through, warm, session, "the installation's secret")

        door.router = router
        yield door
    await runner.cleanup()


def registrar(world, known):
    """An operator's part that follows claims."""
    fence = Fence(world.cluster, lambda: 60.0, PATIENCE)
    told = (lambda _: known, lambda _: None, (world.namespace,), monotonic)
    return Registrar(world.cluster, fence, world.session, *told)


@contextlib.asynccontextmanager
async def running(made):
    task = asyncio.create_task(made.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def owners(pod):
    return [each["kind"] for each in pod["metadata"].get("ownerReferences", ()) if each.get("controller")]


async def test_an_api_server_that_answers_500_429_409_and_loses_an_answer_gets_the_claim_written_once(world, moody):
    [pod] = await world.pool(1)
    function = await world.function()
    router = await moody.router()
    started = await router.start(function)
    moody.moods = [500, 429, 409, LOST]
    assert await asyncio.wait_for(router.register(started), PATIENCE)
    assert moody.moods == []
    claimed = await world.cluster.get(PODS, world.namespace, pod["metadata"]["name"])
    assert claimed["metadata"]["labels"] == started.pod["metadata"]["labels"]
    assert await world.ask(started.pod) == (200, "hello nobody")


async def test_a_start_is_answered_while_the_api_server_is_away_and_claimed_when_it_is_back(world, moody):
    await world.pool(1)
    function = await world.function()
    router = await moody.router()
    await router.prefetch(function)
    moody.away = True
    started = await router.start(function)
    assert isinstance(started, Started)
    assert await world.ask(started.pod) == (200, "hello nobody")
    claim = asyncio.create_task(router.register(started))
    assert await world.pods() == {}
    moody.away = False
    assert await asyncio.wait_for(claim, PATIENCE)
    assert list(await world.pods()) == [started.pod["metadata"]["name"]]


async def test_a_start_is_answered_while_the_api_server_is_late_and_claimed_when_it_answers(world, moody):
    await world.pool(1)
    function = await world.function()
    router = await moody.router()
    await router.prefetch(function)
    moody.open.clear()
    started = await router.start(function)
    assert await world.ask(started.pod) == (200, "hello nobody")
    claim = asyncio.create_task(router.register(started))
    assert await world.pods() == {}
    assert not claim.done()
    moody.open.set()
    assert await asyncio.wait_for(claim, PATIENCE)
    assert list(await world.pods()) == [started.pod["metadata"]["name"]]


async def test_a_router_killed_while_the_pod_loads_the_code_leaves_nothing_behind(world):
    [pod] = await world.pool(1)
    address = pod["status"]["podIP"]
    function = await world.function("import time\ntime.sleep(0.3)\n\ndef handle(request):\n    return 'late'\n")
    router = await world.informed()
    starting = asyncio.create_task(router.start(function))

    async def state():
        async with world.session.get(f"http://{address}:{names.CONTROL_PORT}/readyz") as answer:
            return (await answer.json())["state"]

    async def taken():
        return await state() != "pool"

    async def loaded():
        return await state() == "ready"

    await eventually_async(taken, every=0.01)
    starting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await starting
    await eventually_async(loaded, every=0.05)
    audit = Audit(Fence(world.cluster, lambda: 60.0, PATIENCE), world.session)
    audit.seen(pod, 0.0)
    for look in range(1, LOOKS + 1):
        await audit.look(look * EVERY)
    left = await world.cluster.find(PODS, world.namespace, pod["metadata"]["name"])
    assert left is None or "deletionTimestamp" in left["metadata"]
    assert await world.pods() == {}


async def test_an_operator_killed_between_scale_and_adoption_is_finished_for_by_the_next(world):
    [pod] = await world.pool(1)
    function = await world.function()
    known = Known(exists=True, replicas=1, current=function.status["revision"])
    await world.start(function)
    await world.cluster.scale(world.namespace, "hello", 1, field_manager=names.ROUTER)

    async def own_pod():
        return len(await world.pods()) > 1  # the ReplicaSet did not wait

    await eventually_async(own_pod)

    async def adopted():
        pods = await world.pods()
        return list(pods) == [pod["metadata"]["name"]] and owners(pods[pod["metadata"]["name"]]) == ["ReplicaSet"]

    async with running(registrar(world, known)):
        await eventually_async(adopted)
    assert await world.ask(pod) == (200, "hello nobody")


async def test_a_pod_killed_after_its_claim_is_replaced_by_the_functions_own(world):
    [pod] = await world.pool(1)
    function = await world.function()
    async with running(registrar(world, Known(exists=True, replicas=1, current=function.status["revision"]))):
        await world.start(function)
        await world.cluster.delete(PODS, world.namespace, pod["metadata"]["name"], grace=0)
        await world.cluster.scale(world.namespace, "hello", 1, field_manager=names.ROUTER)

        async def replaced():
            pods = await world.pods()
            return [owners(each) for each in pods.values()] == [["ReplicaSet"]] and pod["metadata"]["name"] not in pods

        await eventually_async(replaced)


async def test_two_routers_that_start_one_function_at_once_leave_one_pod(world):
    both = await world.pool(2)
    function = await world.function()
    async with running(registrar(world, Known(exists=True, replicas=1, current=function.status["revision"]))):
        routers = [await world.informed(), await world.informed()]
        started = await asyncio.gather(*(router.start(function) for router in routers))
        assert all([await router.register(each) for router, each in zip(routers, started, strict=True)])
        await world.cluster.scale(world.namespace, "hello", 1, field_manager=names.ROUTER)

        async def one():
            pods = await world.pods()
            return [owners(each) for each in pods.values()] == [["ReplicaSet"]]

        await eventually_async(one)
    [left] = (await world.pods()).values()
    assert left["metadata"]["name"] in {each["metadata"]["name"] for each in both}
    assert await world.ask(left) == (200, "hello nobody")
