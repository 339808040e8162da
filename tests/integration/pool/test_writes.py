"""An API server that refuses, loses or delays each write of a start from the warm pool, of router and operator alike.

Whatever happens, the request is answered or told why not, and the cluster ends as if nothing had happened.
"""

import contextlib
import json

import pytest

from cluster.waiting import eventually_async
from operating.proxy import proxy
from wick_kube.cluster import Cluster
from wick_kube.resource import PODS
from wick_operator.pool.adopter import FunctionFacts
from wick_router.config import RouterConfig
from wick_router.kubernetes import KubernetesBackend
from wick_router.kubernetes.config import KubernetesConfig
from wick_router.router import Router

REFUSED_AND_LOST = (
    {"status": 409},
    {"status": 429, "headers": {"Retry-After": "0"}},
    {"status": 500},
    {"cut": "before"},
    {"cut": "after"},
)
"""One after the other; the write of the last is done."""
LATE = ({"delay": 1.0},)

WHATEVER = pytest.mark.parametrize("faults", [REFUSED_AND_LOST, LATE], ids=["refused and lost", "late"])


@pytest.fixture
async def pod(world):
    """The one warm pod."""
    [made] = await world.pool(1)
    return made


@pytest.fixture
async def doors(world, pod, controlled_plane, tmp_path):  # noqa: ARG001 - the router must find it there
    """A start's two writers, each with a door to the API server of its own: the router at work, and the operator's."""
    with proxy(controlled_plane) as first, proxy(controlled_plane) as second:
        kubeconfig = str(first.kubeconfig(tmp_path))
        settings = KubernetesConfig(
            namespaces=(world.namespace,), kubeconfig=kubeconfig, pool_key="the installation's secret"
        )
        made = Router(
            RouterConfig(host="127.0.0.1", port=0, admin_host="127.0.0.1", admin_port=-1), KubernetesBackend(settings)
        )
        (tmp_path / "operator").mkdir()
        async with await Cluster.connect(str(second.kubeconfig(tmp_path / "operator"))) as cluster:
            await made.start()
            yield Doors(made, first, second, cluster)
            await made.stop()


class Doors:
    def __init__(self, router, routers, operators, cluster):
        self._router, self.routers, self.operators, self.cluster = router, routers, operators, cluster

    @property
    def port(self):
        return self._router.port

    async def know(self, function):
        """The router has heard of the function, and of all that was there before."""

        async def known():
            return self._router.plane.in_touch and function.key in self._router.plane.upstreams

        await eventually_async(known)


@contextlib.contextmanager
def failing(door, verb, path, faults, *, after=0):
    """The next calls to what `path` ends, `after` so many, meet these in turn; each was met when the block ends."""

    def so(call):
        return call.verb == verb and call.path.endswith(path)

    def meant(call):
        return so(call) and sum(map(so, door.seen)) > after

    with contextlib.ExitStack() as stack:
        met = [stack.enter_context(door.failing(meant, times=1, **each)) for each in faults]
        yield
        assert [each.hits for each in met] == [1] * len(faults)


@WHATEVER
@pytest.mark.parametrize("write", ["claim", "scale", "resize", "adoption", "release"])
async def test_a_start_goes_through_every_fault_of_every_write(world, pod, doors, write, faults):
    name = pod["metadata"]["name"]
    function = await world.function(resources={"requests": {"cpu": "77m"}})
    await doors.know(function)
    door, path = {
        "claim": (doors.routers, f"/pods/{name}"),
        "scale": (doors.routers, "/deployments/hello/scale"),
        "resize": (doors.operators, f"/pods/{name}/resize"),
        "adoption": (doors.operators, f"/pods/{name}"),
        "release": (doors.operators, f"/pods/{name}"),
    }[write]
    known = FunctionFacts(exists=True, replicas=1, current=function.status["revision"])
    with failing(door, "patch", path, faults, after=write == "release"):
        async with world.operator(lambda: known, cluster=doors.cluster):
            assert await world.call(doors.port) == (200, "hello nobody")
            own = await world.settled_in(pod)
    assert own["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "77m"
    assert await world.call(doors.port) == (200, "hello nobody")
    assert len(await world.waiting()) == 1


@WHATEVER
async def test_a_start_whose_router_died_is_finished_through_every_fault(world, pod, doors, faults):
    function = await world.function()
    known = FunctionFacts(exists=True, replicas=0, current=function.status["revision"])
    with failing(doors.operators, "patch", "/deployments/hello/scale", faults):
        async with world.operator(lambda: known, cluster=doors.cluster):
            await world.start(function)
            await world.settled_in(pod)
    assert await world.ask(pod) == (200, "hello nobody")


@WHATEVER
async def test_a_pod_whose_code_does_not_load_goes_through_every_fault(world, pod, doors, faults):
    function = await world.function("1 / 0\n")
    await doors.know(function)
    known = FunctionFacts(exists=True, replicas=0, current=function.status["revision"])
    with failing(doors.operators, "delete", f"/pods/{pod['metadata']['name']}", faults):
        async with world.operator(lambda: known, cluster=doors.cluster):
            status, text = await world.call(doors.port)
            await eventually_async(lambda: gone(world, pod))
    assert status == 503
    assert "main.py" in json.loads(text)["error"]["message"]
    assert await world.pods() == {}
    assert await world.replicas() == 0


async def gone(world, pod):
    return await world.cluster.find(PODS, world.namespace, pod["metadata"]["name"]) is None


async def test_a_start_is_answered_while_the_api_server_is_away_and_claimed_when_it_is_back(world, pod, doors):
    function = await world.function()
    await doors.know(function)
    known = FunctionFacts(exists=True, replicas=1, current=function.status["revision"])
    with doors.routers.failing(lambda call: call.verb == "patch", cut="before") as writes:
        assert await world.call(doors.port) == (200, "hello nobody")
        await eventually_async(lambda: tried(writes))
        assert await world.pods() == {}
    async with world.operator(lambda: known):
        await world.settled_in(pod)


async def tried(fault):
    return fault.hits > 1
