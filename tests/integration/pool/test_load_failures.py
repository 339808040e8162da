"""Code that does not load in a warm pod is told in the Function's status, by the real operator process."""

import pytest

from cluster.waiting import eventually_async
from operating.world import condition, function
from operating.world import world as operating
from wick_router.kubernetes.decisions.outcome import CodeBroken, WarmStarted

BROKEN = {"source": {"inline": {"main.py": "import nothing_of_the_kind\n"}}}
MENDED = {"source": {"inline": {"main.py": "def handle():\n    return 'mended'\n"}}}


@pytest.fixture
def platform(world, controlled_plane, tmp_path):
    """The operator's process, which follows this namespace and keeps a pool in it."""
    with operating(controlled_plane, tmp_path) as made:
        made.operator(namespaces=world.namespace, pool_key="the installation's secret").wait_until_it_leads()
        yield made


async def test_code_that_does_not_load_in_a_warm_pod_is_told_before_the_pod_goes_and_after(world, platform):
    platform.apply(world.namespace, function(**BROKEN))
    platform.ready("hello", world.namespace, "Idle")
    [pod] = await world.run_pool(1)
    router = await world.informed()
    broken = await router.start(await world.present())
    assert isinstance(broken, CodeBroken)
    assert await router.register(broken)
    status = platform.ready("hello", world.namespace, "LoadFailed")
    assert condition(status, "Ready")["status"] == "False"
    assert "main.py line 1" in status["why"]
    assert "nothing_of_the_kind" in status["why"]

    async def gone():
        return pod["metadata"]["name"] not in await world.pods()

    await eventually_async(gone)
    platform.ready("hello", world.namespace, "LoadFailed")


async def test_the_source_that_is_mended_starts_without_the_failure_of_the_one_before(world, platform):
    platform.apply(world.namespace, function(**BROKEN))
    platform.ready("hello", world.namespace, "Idle")
    await world.run_pool(1)
    router = await world.informed()
    assert await router.register(await router.start(await world.present()))
    platform.ready("hello", world.namespace, "LoadFailed")
    platform.apply(world.namespace, function(**MENDED))
    platform.ready("hello", world.namespace, "Idle")
    await world.run_pool(1)
    assert isinstance(await (await world.informed()).start(await world.present()), WarmStarted)
