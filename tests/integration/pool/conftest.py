"""A namespace with a pool whose pods are real runtimes: the API server and its controllers are real, only the kubelet
is played here. It gives each pool pod a loopback address, starts `wick_runtime` there, and says so in the status."""

import asyncio
import contextlib
import itertools
import os
import sys
from time import monotonic

import aiohttp
import pytest
from msgspec import structs

from cluster.control_plane import ControlPlane
from cluster.images import PROJECT
from cluster.kubectl import establish
from cluster.meanwhile import meanwhile
from cluster.waiting import PATIENCE, eventually_async
from wick_api import names
from wick_api.function import Source, parse
from wick_kube.cluster import Cluster
from wick_kube.resource import CONFIG_MAPS, DEPLOYMENTS, FUNCTIONS, PODS
from wick_operator.config import OperatorConfig
from wick_operator.function.decisions.desired import choice
from wick_operator.function.decisions.desired.children import config_map, deployment
from wick_operator.leader.fenced_writer import FencedWriter
from wick_operator.pool.adopter import Adopter
from wick_operator.pool.audit import EVERY, LOOKS, PoolAudit
from wick_operator.pool.decisions import manifest
from wick_operator.pool_settings import PoolSettings
from wick_router.kubernetes.warm_pods import WarmPods
from wick_router.kubernetes.warm_start import WarmStarts

CONFIG = OperatorConfig(pool_key="the installation's secret")
SOURCE = "import os\n\ndef handle(request):\n    return 'hello ' + os.environ.get('WHO', 'nobody')\n"
_OURS = f"127.{64 + os.getpid() // 250 % 128}.{os.getpid() % 250}"
"""Loopback addresses of this test run's own: every runtime takes the same ports."""
_numbers = itertools.count(2)


class World:
    """What a test does to the namespace."""

    def __init__(self, cluster, session, namespace, folder, kubeconfig):
        self.cluster, self.session, self.namespace, self.kubeconfig = cluster, session, namespace, kubeconfig
        self._folder, self.runtimes = folder, {}

    async def pool(self, size, *, dormant=False):
        """A pool of so many running pods."""
        made = manifest.deployment(self.namespace, "python", PoolSettings(), CONFIG, size, dormant=dormant)
        await self.cluster.apply(made, field_manager="test")
        return await self.run_pool(size, made["metadata"]["labels"][names.COMPONENT])

    async def run_pool(self, size, component="pool"):
        """Play the kubelet of so many warm pods, once they are there."""
        return await eventually_async(lambda: self._run_pods(size, component))

    async def present(self):
        """The Function as it is now."""
        found = await self.cluster.get(FUNCTIONS, self.namespace, "hello")
        return parse({**found, "apiVersion": names.API_VERSION, "kind": names.KIND})

    async def _run_pods(self, size, component):
        of_it = f"{names.POOL},{names.COMPONENT}={component}"
        pods = await self.cluster.list(PODS, self.namespace, labels=of_it)
        if len(pods) < size:
            return None
        return [await self.run(pod) for pod in pods]

    async def run_own(self):
        """Play the kubelet of the pod that the function's ReplicaSet made, as a node would start it."""

        async def made():
            return [pod for pod in (await self.pods()).values() if "podIP" not in pod.get("status", {})]

        [pod] = await eventually_async(made)
        code = self._folder / pod["metadata"]["name"]
        code.mkdir()
        for volume in [each["configMap"] for each in pod["spec"].get("volumes", ()) if "configMap" in each]:
            for item in volume["items"]:
                (code / item["path"]).write_text(await self._value(volume["name"], item["key"]))
        return await self._start(pod, code, "ready")

    async def run(self, pod):
        """Play the kubelet of a warm pod."""
        code = self._folder / pod["metadata"]["name"]
        code.mkdir()
        return await self._start(pod, code, "pool")

    async def _start(self, pod, code, state):
        address = f"{_OURS}.{next(_numbers)}"
        given = {}
        for each in pod["spec"]["containers"][0]["env"]:
            reference = each.get("valueFrom", {}).get("configMapKeyRef")
            if "value" in each:
                given[each["name"]] = each["value"]
            elif reference:
                given[each["name"]] = await self._value(reference["name"], reference["key"])
        environment = {**os.environ, **given, "KUBEWICK_HOST": address, "KUBEWICK_CODE": str(code)}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "wick_runtime"),
            env=environment,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        self.runtimes[pod["metadata"]["name"]] = process
        await eventually_async(lambda: self._is(address, state))
        condition = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        status = {"podIP": address, "podIPs": [{"ip": address}], "phase": "Running", "conditions": [condition]}
        return await self.cluster.patch(
            PODS,
            self.namespace,
            pod["metadata"]["name"],
            {"status": status},
            field_manager="kubelet",
            subresource="status",
        )

    async def _value(self, config_map, key):
        return (await self.cluster.get(CONFIG_MAPS, self.namespace, config_map))["data"][key]

    async def _is(self, address, state):
        try:
            async with self.session.get(f"http://{address}:{names.CONTROL_PORT}/readyz") as answer:
                return (await answer.json())["state"] == state
        except aiohttp.ClientConnectorError:
            return False

    async def function(self, source=SOURCE, *, name="hello", **spec):
        """A Function at rest, with what the operator makes of it."""
        made = await self.cluster.create(
            {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "metadata": {"name": name, "namespace": self.namespace},
                "spec": {"source": {"inline": {"main.py": source}}, **spec},
            },
            field_manager="test",
        )
        bare = parse({**made, "apiVersion": names.API_VERSION, "kind": names.KIND})
        revision = choice.new(bare, CONFIG, bare.spec.source.inline)
        await self.cluster.apply(config_map(bare, revision, "input"), field_manager="test")
        child = deployment(bare, revision, "")
        child["spec"]["replicas"] = 0
        await self.cluster.create(child, field_manager="test")
        status = {"revision": revision.name}
        await self.cluster.patch(
            FUNCTIONS, self.namespace, name, {"status": status}, field_manager="test", subresource="status"
        )
        return parse({**made, "status": status})

    async def update(self, function, source):
        """What the operator does when the source changes; the new revision's name."""
        changed = structs.replace(
            function, spec=structs.replace(function.spec, source=Source(inline={"main.py": source}))
        )
        revision = choice.new(changed, CONFIG, changed.spec.source.inline)
        await self.cluster.apply(config_map(changed, revision, "input"), field_manager="test")
        template = deployment(changed, revision, "")["spec"]["template"]
        await self.cluster.patch(
            DEPLOYMENTS, self.namespace, "hello", {"spec": {"template": template}}, field_manager="test"
        )
        return revision.name

    async def informed(self):
        """A router that knows the pool as it is now."""
        warm = WarmPods()
        for pod in await self.cluster.list(PODS, self.namespace, labels=names.POOL):
            warm.changed((self.namespace, pod["metadata"]["name"]), pod, None)
        return WarmStarts(self.cluster, warm, CONFIG.pool_key)

    async def start(self, function):
        """As a router does: the pod that serves, and its claim."""
        router = await self.informed()
        started = await router.start(function)
        assert await router.register(started)
        return started

    async def ask(self, pod):
        """Call the function in a pod."""
        async with self.session.get(f"http://{pod['status']['podIP']}:{names.HTTP_PORT}/") as answer:
            return answer.status, await answer.text()

    @contextlib.asynccontextmanager
    async def operator(self, known, *, cluster=None, pace=1, rolled=lambda _key, _homes: None):
        """The operator's part that follows claims, while the block runs.

        `known()` is its view of the function, asked for at each look, and `rolled` is told of its ReplicaSets. It sees
        the API server through `cluster`, and its patience passes `pace` times faster than time.
        """
        through = cluster or self.cluster
        fence = FencedWriter(through, lambda: 60.0, PATIENCE)
        told = (lambda _: known(), rolled, (self.namespace,), lambda: pace * monotonic())
        async with meanwhile(Adopter(through, fence, self.session, *told).run()):
            yield

    async def audited(self, pods):
        """The operator has looked at these warm pods as often as it takes to find one that nobody claimed."""
        audit = PoolAudit(FencedWriter(self.cluster, lambda: 60.0, PATIENCE), self.session)
        for pod in pods:
            audit.seen(pod, 0.0)
        for look in range(1, LOOKS + 1):
            await audit.look(look * EVERY)

    async def call(self, router):
        """Status and text of a request for the function to a router at this port."""
        async with self.session.get(f"http://127.0.0.1:{router}/function/{self.namespace}/hello/") as answer:
            return answer.status, await answer.text()

    @staticmethod
    def owners(pod):
        """The kinds of what controls it."""
        return [each["kind"] for each in pod["metadata"].get("ownerReferences", ()) if each.get("controller")]

    async def replicas(self):
        """Asked for of the Deployment."""
        return (await self.cluster.get(DEPLOYMENTS, self.namespace, "hello"))["spec"].get("replicas", 0)

    async def settled_in(self, pod):
        """Wait until the function is as if its Deployment had started it itself, in this pod."""
        name = pod["metadata"]["name"]

        async def so():
            pods = await self.pods()
            assert list(pods) == [name]
            assert self.owners(pods[name]) == ["ReplicaSet"]
            assert names.STANDS_IN_FOR not in pods[name]["metadata"]["labels"]
            assert await self.replicas() == 1
            assert name not in await self.waiting()
            return pods[name]

        return await eventually_async(so)

    async def waiting(self):
        """The pool's pods, by name."""
        listed = await self.cluster.list(PODS, self.namespace, labels=names.POOL)
        return {pod["metadata"]["name"]: pod for pod in listed if "deletionTimestamp" not in pod["metadata"]}

    async def pods(self):
        """Those of the function, by name."""
        listed = await self.cluster.list(PODS, self.namespace, labels=names.FUNCTION)
        return {pod["metadata"]["name"]: pod for pod in listed if "deletionTimestamp" not in pod["metadata"]}

    async def close(self):
        for process in self.runtimes.values():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        for process in self.runtimes.values():
            await process.wait()
        for dormant in (False, True):
            await self.cluster.delete(DEPLOYMENTS, self.namespace, manifest.name("python", dormant=dormant))
        for name in [each["metadata"]["name"] for each in await self.cluster.list(CONFIG_MAPS, self.namespace)]:
            await self.cluster.delete(CONFIG_MAPS, self.namespace, name)


@pytest.fixture(scope="session")
def controlled_plane():
    """One of these tests' own: on the shared one an operator is at work, which would mend what is played here."""
    with ControlPlane.start(controllers=True) as plane:
        establish(plane.kubeconfig, PROJECT / "crds")
        yield plane


@pytest.fixture
async def world(controlled_plane, controlled_namespace, tmp_path):
    async with (
        await Cluster.connect(str(controlled_plane.kubeconfig)) as cluster,
        aiohttp.ClientSession() as session,
    ):
        made = World(cluster, session, controlled_namespace, tmp_path, controlled_plane.kubeconfig)
        yield made
        await made.close()
