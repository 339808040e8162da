"""What the benchmark does to the cluster: functions at rest, the pool's size, a plain Deployment to compare with.

Pods come from one watch, as in a router: asking the API server in a loop would cost the node the processor time that
is being measured.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from wick_api import diagnosis, names, warm
from wick_kube.cluster import Cluster
from wick_kube.error import ApiError
from wick_kube.reflector import Address, Reflector
from wick_kube.resource import DEPLOYMENTS, FUNCTIONS, NAMESPACES, PODS, SERVICES

MANAGER = "kubewick-benchmark"
NAMESPACE = "kubewick-coldstart"
RESIDENT = "resident"
"""A function that is never called: a pool goes with the last function that could use it."""
DORMANT = 10
"""Most dormant pods, as by the chart's default."""
PLAIN = "plain"
"""Label of the Deployments to compare with."""

SOURCE = "import os\n\n\ndef handle(request):\n    return os.environ['POD']\n"
POD = {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}
"""Every function answers with its pod's uid."""

SMALL = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}}
"""So that a node of two processors has room for fifty functions."""

PRELOADED = ["decimal", "sqlite3", "unittest.mock", "xml.dom.minidom", "email.mime.multipart", "xmlrpc.client"]
HEAVY = "".join(f"import {each}\n" for each in PRELOADED) + SOURCE
"""As heavy to import as a small framework, and in every interpreter."""


class Bench:
    """One namespace of its own; `close` removes it. `watch` has to run meanwhile."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._pods: Reflector[Mapping[str, Any]] = Reflector(cluster, PODS, self, namespace=NAMESPACE)
        self._moved = asyncio.Event()
        self.used: set[str] = set()
        """Uids of pods that told of themselves: they have a function, though their claim may not be written yet."""

    async def watch(self) -> None:
        """Follow the namespace's pods until cancelled."""
        await self._pods.run()

    def changed(self, _: Address, _new: Mapping[str, Any], _old: Mapping[str, Any] | None) -> None:
        self._moved.set()

    def deleted(self, _: Address, _old: Mapping[str, Any]) -> None:
        self._moved.set()

    async def until(self, look: Callable[[], bool], within: float) -> None:
        """Wait for something to be true of the pods; ``TimeoutError`` after `within` seconds."""
        async with asyncio.timeout(within):
            await self._pods.synced.wait()
            while not look():
                self._moved.clear()
                await self._moved.wait()

    def pods(self, label: str, value: str | None = None) -> Iterator[Mapping[str, Any]]:
        """Those with a label."""
        for pod in self._pods.values():
            labels = pod["metadata"].get("labels", {})
            if label in labels and value in {None, labels[label]}:
                yield pod

    async def open(self, pool: int, dormant: int = 0, **settings: Any) -> None:
        """Make the namespace with a pool of so many warm pods and dormant ones, 0 for none."""
        sizes = json.dumps({"python": {"min": pool, "max": pool, "dormant": dormant, **settings}})
        metadata = {"name": NAMESPACE, "annotations": {f"{names.GROUP}/pool": sizes}}
        await self.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}, field_manager=MANAGER)
        await self.make(RESIDENT)

    async def close(self) -> None:
        """Remove the namespace with all that is in it, and wait until it is gone.

        Its controller comes back after half the grace of the pods it finds going, which is 156 s for warm ones.
        """
        await self.cluster.delete(NAMESPACES, None, NAMESPACE)

        async def done() -> bool:
            return await self.cluster.find(NAMESPACES, None, NAMESPACE) is None

        await until(done, 240, pause=0.5)

    async def router(self) -> tuple[str, int]:
        """Address of the routers' internal Service."""
        service = await self.cluster.get(SERVICES, "kubewick-system", "kubewick-router-internal")
        return service["spec"]["clusterIP"], 80

    async def make(self, name: str, source: str = SOURCE) -> None:
        """A function at rest."""
        await self.cluster.apply(
            {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": {"source": {"inline": {"main.py": source}}, "env": [POD], "resources": SMALL},
            },
            field_manager=MANAGER,
        )

    async def at_rest(self, wanted: set[str]) -> None:
        """Until the operator has made everything these functions need."""

        async def done() -> bool:
            listed = await self.cluster.list(FUNCTIONS, NAMESPACE)
            ready = {each["metadata"]["name"] for each in listed if each.get("status", {}).get("revision")}
            deployments = await self.cluster.list(DEPLOYMENTS, NAMESPACE, labels=names.FUNCTION)
            return wanted <= ready and wanted <= {each["metadata"]["name"] for each in deployments}

        await until(done, 300, pause=0.5)
        await asyncio.sleep(0.5)  # the routers read the revisions they hear of

    async def remove(self, name: str) -> None:
        await self.cluster.delete(FUNCTIONS, NAMESPACE, name)

    async def clear(self) -> None:
        """No function is left, whatever the part before did."""
        for each in await self.cluster.list(FUNCTIONS, NAMESPACE):
            if each["metadata"]["name"] != RESIDENT:
                await self.remove(each["metadata"]["name"])
        await self.remove_plain()
        await self.quiet()

    def free(self) -> tuple[int, int]:
        """Warm pods and dormant ones that wait for a function."""
        waiting = [
            warm.is_dormant(pod)
            for pod in self.pods(names.POOL)
            if warm.is_free(pod) and pod["metadata"]["uid"] not in self.used
        ]
        return waiting.count(False), waiting.count(True)

    async def pool_has(self, size: int, dormant: int = 0) -> None:
        """Until so many pods wait, and no more: a pool that shrinks goes one pod a second."""
        await self.until(lambda: self.free() == (size, dormant), 120)

    async def renewed(self, size: int, preload: list[str]) -> None:
        """Until the pool's pods are all of the kind that loads these modules ahead."""

        def done() -> bool:
            given = [each["spec"]["containers"][0]["env"] for each in self.pods(names.POOL)]
            fresh = [any(variable.get("value") == ",".join(preload) for variable in env) for env in given]
            return len(fresh) == size and all(fresh)

        await self.until(done, 60)

    async def quiet(self) -> None:
        """Until every function's pod is told to go.

        One that was told so before its interpreter had started may ignore it for its whole grace period.
        """
        await self.until(lambda: not any(map(_stays, self.pods(names.FUNCTION))), 300)
        await asyncio.sleep(1)

    async def settled(self, name: str) -> None:
        """Until the function has one pod, ready, and a ReplicaSet's."""

        def done() -> bool:
            mine = list(filter(_stays, self.pods(names.FUNCTION, name)))
            return len(mine) == 1 and diagnosis.is_ready(mine[0]) and not warm.unadopted(mine[0])

        await self.until(done, 60)

    async def plain(self, image_of: str, number: int) -> float:
        """Milliseconds from scaling a plain Deployment of the same pod template from 0 to 1 to its first 200."""
        model = await self.cluster.get(DEPLOYMENTS, NAMESPACE, image_of)
        name = f"plain-{number}"
        template = model["spec"]["template"]
        labels = {PLAIN: name}
        template["metadata"] = {"labels": labels}
        await self.cluster.apply(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
                "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
            },
            field_manager=MANAGER,
        )
        began = time.perf_counter()
        await self.cluster.scale(NAMESPACE, name, 1, field_manager=MANAGER)
        address = ""

        def known() -> bool:
            nonlocal address
            address = next((pod["status"].get("podIP", "") for pod in self.pods(PLAIN, name)), "")
            return bool(address)

        await self.until(known, 120)

        async def answers() -> bool:
            return await _answers(address)

        await until(answers, 120, pause=0.01)
        return (time.perf_counter() - began) * 1000

    async def remove_plain(self) -> None:
        """Remove every plain Deployment, and wait until its pods are gone."""
        for each in await self.cluster.list(DEPLOYMENTS, NAMESPACE, labels=PLAIN):
            await self.cluster.delete(DEPLOYMENTS, NAMESPACE, each["metadata"]["name"])
        await self.until(lambda: not any(map(_stays, self.pods(PLAIN))), 120)


def _stays(pod: Mapping[str, Any]) -> bool:
    return "deletionTimestamp" not in pod["metadata"]


async def until(look: Callable[[], Awaitable[bool]], within: float, pause: float = 0.1) -> None:
    """Wait for a condition of the cluster; ``TimeoutError`` after `within` seconds."""
    async with asyncio.timeout(within):
        while True:
            try:
                if await look():
                    return
            except ApiError:
                pass
            await asyncio.sleep(pause)


async def _answers(address: str) -> bool:
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_connection(address, names.HTTP_PORT)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            line = await reader.readline()
            writer.close()
            return b" 200 " in line
    except (OSError, TimeoutError):
        return False
