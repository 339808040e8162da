"""When claims are written, on a real API server and real runtimes."""

import asyncio

import pytest

from cluster.waiting import eventually_async
from wick_api import names
from wick_api.names import Key
from wick_kube.resource import PODS
from wick_router.kubernetes.claim_writer import LONGEST_HOLD, QUIET, ClaimWriter
from wick_router.kubernetes.readiness_probe import EarlyReadiness

OTHER, THIRD = Key("elsewhere", "starts-by-its-deployment"), Key("elsewhere", "so-does-this-one")


@pytest.fixture
async def owed(world):
    """A pod that serves, its registrations, the functions that were scaled, and whether its claim is written."""
    [waiting] = await world.pool(1)
    function, router, scaled = await world.function(), await world.informed(), []

    async def scale(key):
        scaled.append(key)

    async def claimed():
        pod = await world.cluster.get(PODS, world.namespace, waiting["metadata"]["name"])
        return names.POOL not in pod["metadata"]["labels"]

    def lost(key, _):
        pytest.fail(f"{key} lost its pod")

    def fault(border, key, error):
        pytest.fail(f"{border}, {key}: {error!r}")

    registrations = ClaimWriter(router, scale, lost, fault)
    yield registrations, (function.key, await router.start(function)), scaled, claimed
    await registrations.close()


async def test_a_claim_waits_for_a_start_by_deployment_and_no_longer(owed):
    registrations, start, scaled, claimed = owed
    registrations.awaits(OTHER)
    registrations.awaits(THIRD)
    registrations.serves(THIRD)
    registrations.add(*start)
    added = asyncio.get_running_loop().time()
    await asyncio.sleep(LONGEST_HOLD / 10)
    early = await claimed()
    assert not early or asyncio.get_running_loop().time() - added > LONGEST_HOLD  # on a machine that stood still
    registrations.serves(OTHER)
    await eventually_async(claimed, within=LONGEST_HOLD / 2)
    await registrations.close()
    assert scaled == [start[0]]


async def test_a_claim_waits_a_moment_longer_for_the_next_slow_start_of_a_row(owed):
    registrations, start, _, claimed = owed
    clock = asyncio.get_running_loop().time
    registrations.awaits(OTHER)
    registrations.add(*start)
    added = clock()
    registrations.serves(OTHER)
    served = clock()
    await asyncio.sleep(QUIET / 2)
    registrations.awaits(THIRD)
    heard = clock()
    await asyncio.sleep(QUIET)
    early = await claimed()
    assert not early or heard - served > QUIET or clock() - added > LONGEST_HOLD  # on a machine that stood still
    registrations.serves(THIRD)
    await eventually_async(claimed)
    assert clock() - added > min(LONGEST_HOLD, heard - added + 2 * QUIET)


@pytest.mark.parametrize("held", [False, True], ids=["in line", "held back"])
async def test_a_router_that_ends_writes_the_claims_it_owes(owed, held):
    registrations, start, scaled, claimed = owed
    registrations.awaits(OTHER)
    registrations.add(*start)
    while held and registrations._next is None:  # noqa: ASYNC110 - nobody tells when it is taken out of the line
        await asyncio.sleep(0)
    await registrations.close()
    assert await claimed()
    assert scaled == [start[0]]


async def test_a_new_warm_pod_is_known_to_wait_before_its_kubelet_says_so(world):
    [pod] = await world.pool(1)
    told = asyncio.get_running_loop().create_future()
    early = EarlyReadiness(world.session, told.set_result)
    early.ask(pod)
    async with asyncio.timeout(10):
        assert await told is pod
    await early.close()
