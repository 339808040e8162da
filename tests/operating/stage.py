"""One function before the real `Reconciler` and client, a real API server, and a proxy that fails calls.

No mirror runs: the view is read anew before each look, so a look sees exactly what is there.
"""

import asyncio
import itertools
from contextlib import asynccontextmanager

import aiohttp
import msgspec

from cluster.kubectl import fresh_namespace
from operating.proxy import proxy
from operating.world import function
from wick_api.names import Key
from wick_kube.cluster import Cluster
from wick_kube.error import ApiError, ApiUnreachable
from wick_kube.resource import CONFIG_MAPS, DEPLOYMENTS, FUNCTIONS, SECRETS, SERVICES
from wick_operator.cache.store import Store
from wick_operator.config import OperatorConfig
from wick_operator.function.event_recorder import Recorder
from wick_operator.function.inspector import Inspector
from wick_operator.function.reconcile import Reconciler
from wick_operator.leader.fenced_writer import FencedWriter
from wick_operator.leader.work_queue import Again
from wick_operator.observed import snapshot

NUMBERS = itertools.count()
RETRIED = (Again, ApiError, ApiUnreachable, TimeoutError)
"""What the work queue answers with another try after a back-off."""


class _Page(msgspec.Struct):
    items: list[msgspec.Raw]


class Stage:
    """One function; `cluster` is the test's own way to the API server, `failing` the reconciler's, by the proxy."""

    def __init__(self, cluster, failing, between, session, namespace):
        self.cluster, self.failing, self.between, self.session = cluster, failing, between, session
        self.key, self.before = Key(namespace, f"f{next(NUMBERS)}"), 0
        self.view = Store(lambda _key, _delay=0.0: None)

    async def read(self):
        """The view as mirrors would have it; a Function's own uses are kept, as they are over time."""
        fresh = Store(lambda _key, _delay=0.0: None)
        fresh.told(await self.cluster.get(FUNCTIONS, *self.key), gone=False)
        for resource, take in (
            (DEPLOYMENTS, lambda raw: _put(fresh.deployments, snapshot.deployment(raw))),
            (SERVICES, lambda raw: _put(fresh.services, snapshot.service(raw))),
            (CONFIG_MAPS, lambda raw: _config(fresh, "ConfigMap", raw)),
            (SECRETS, lambda raw: _config(fresh, "Secret", raw)),
        ):
            body = await self.cluster.call("GET", resource.path(self.key.namespace))
            for raw in msgspec.json.decode(body, type=_Page).items:
                take(raw)
        self.view = fresh

    async def look(self, patience=9.0):
        """One reconcile, each write of which may take `patience`; what it raised that the queue answers, or None."""
        await self.read()
        return await self.act(patience)

    async def act(self, patience=9.0):
        """The same with the view as it is."""
        fence = FencedWriter(self.failing, lambda: patience, patience)
        inspector = Inspector(self.failing, self.session, asyncio.get_running_loop().time)
        recorder = Recorder(fence, "test", asyncio.get_running_loop().time, lambda: "2026-01-01T00:00:00.000000Z")
        work = Reconciler(
            self.view, self.failing, fence, inspector, recorder, OperatorConfig(), lambda: "2026-01-01T00:00:00Z"
        )
        self.before = len(self.between.seen)
        try:
            await work.reconcile(self.key)
        except RETRIED as error:
            return error
        return None

    def writes(self):
        """What the last look wrote, children in their order, then the status."""
        calls = self.between.seen[self.before :]
        written = [call.path.split("/namespaces/")[1].split("/")[1:] for call in calls if call.verb == "apply"]
        return [parts[0] if len(parts) == 2 else parts[-1] for parts in written]

    async def settle(self):
        """Look until nothing is left to do, as the mirrors' news would make it; fails where it does not end."""
        for _ in range(4):
            assert await self.look() is None
            if not self.writes():
                return
        raise AssertionError(f"it goes on writing {self.writes()}")

    async def status(self):
        return (await self.cluster.get(FUNCTIONS, *self.key)).get("status", {})

    async def put(self, **spec):
        manifest = function(self.key.name, **spec)
        manifest["metadata"]["namespace"] = self.key.namespace
        await self.cluster.apply(manifest, field_manager="user")

    async def keep(self, kind, **data):
        metadata = {"name": f"{self.key.name}-config", "namespace": self.key.namespace}
        body = {"apiVersion": "v1", "kind": kind, "metadata": metadata}
        await self.cluster.apply({**body, "data": data}, field_manager="user")


def _put(index, child):
    index[child.key if isinstance(child, snapshot.ChildSnapshot) else child.child.key] = child


def _config(view, kind, raw):
    name, found = msgspec.json.decode(raw)["metadata"]["name"], snapshot.config(raw)
    if found.key is not None:
        view.kept[found.key][name] = found
    else:
        namespace = msgspec.json.decode(raw)["metadata"]["namespace"]
        view.config[kind, namespace, name] = found.digest


@asynccontextmanager
async def staged(plane, folder):
    namespace = fresh_namespace(plane.kubeconfig, "reconciling")
    with proxy(plane) as between:
        async with (
            await Cluster.connect(str(plane.kubeconfig)) as cluster,
            await Cluster.connect(str(between.kubeconfig(folder))) as failing,
            aiohttp.ClientSession() as session,
        ):
            yield lambda: Stage(cluster, failing, between, session, namespace)
