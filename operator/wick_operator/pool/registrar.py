"""Follows each claimed pod until its function's Deployment owns it, or it is gone.

One task a claimed pod, made when the watch shows the claim, whoever made it; so an operator that starts late, or leads
anew, finishes what it finds. Each look gathers, lets `adoption.decide` decide, and acts through the fence.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

from wick_api import names, warm
from wick_api.names import Key
from wick_kube import evidence
from wick_kube.cluster import Cluster
from wick_kube.error import ApiError, Conflict, NotFound, Unreachable
from wick_kube.reflector import Address, Reflector
from wick_kube.resource import DEPLOYMENTS, PODS, REPLICA_SETS
from wick_operator import metrics
from wick_operator.fence import Fence
from wick_operator.pool.adoption import Facts, Step, adopt, decide

log = logging.getLogger(__name__)

Manifest = Mapping[str, Any]

FIRST_LOOK, LONGEST_PAUSE = 0.1, 2.0
"""Seconds between looks: doubled each time."""
AT_ONCE = 8
"""Claims looked at at the same time: adoption is off the path, and the API server has better to do."""


class Registrar:
    """See the module; `exists` says whether a Function does, `clock` is monotonic seconds."""

    def __init__(
        self,
        cluster: Cluster,
        fence: Fence,
        session: aiohttp.ClientSession,
        exists: Callable[[Key], bool],
        namespaces: tuple[str | None, ...],
        clock: Callable[[], float],
    ) -> None:
        self._cluster, self._fence, self._session = cluster, fence, session
        self._exists, self._clock = exists, clock
        self._permits = asyncio.Semaphore(AT_ONCE)
        self._claimed: dict[Address, Manifest] = {}
        self._tasks: dict[Address, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup
        self._reflectors = [
            Reflector(cluster, PODS, self, namespace=namespace, labels=names.CLAIMED_BY) for namespace in namespaces
        ]

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            for reflector in self._reflectors:
                self._group.create_task(reflector.run())

    def changed(self, address: Address, new: Manifest, _old: Manifest | None) -> None:
        """A claimed pod appeared or changed."""
        if warm.unadopted(new) and "deletionTimestamp" not in new["metadata"]:
            self._claimed[address] = new
            if address not in self._tasks:
                self._tasks[address] = self._group.create_task(self._follow(address, self._clock()))
        else:
            self._claimed.pop(address, None)

    def deleted(self, address: Address, _old: Manifest) -> None:
        """It is gone; its task sees that."""
        self._claimed.pop(address, None)

    async def _follow(self, address: Address, since: float) -> None:
        pause = FIRST_LOOK
        try:
            while (pod := self._claimed.get(address)) is not None:
                try:
                    async with self._permits:
                        await self._step(pod, self._clock() - since)
                except (Conflict, NotFound):
                    pass  # it changed under our hands: look again
                except (ApiError, Unreachable, TimeoutError) as error:
                    log.warning("%s/%s: %s", *address, error)
                await asyncio.sleep(pause)
                pause = min(1.5 * pause, LONGEST_PAUSE)
        finally:
            del self._tasks[address]

    async def _step(self, pod: Manifest, age: float) -> None:
        plan = decide(await self._facts(pod, age))
        metadata = pod["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        if plan.step is Step.DELETE:
            log.info("%s/%s: claimed, but not needed; deleting it", namespace, name)
            await self._fence.delete(PODS, namespace, name, uid=metadata["uid"])
        elif plan.step is Step.SCALE:
            await self._fence.scale(namespace, metadata["labels"][names.CLAIMED_BY], 1)
        elif plan.replica_set is not None:
            adopted = await self._fence.patch(PODS, namespace, name, adopt(pod, plan.replica_set))
            metrics.ADOPTIONS.inc()
            self._claimed.pop((namespace, name), None)
            change = warm.resize(plan.replica_set["spec"]["template"], adopted)
            if change:
                await self._fence.patch(PODS, namespace, name, change, subresource="resize")

    async def _facts(self, pod: Manifest, age: float) -> Facts:
        metadata = pod["metadata"]
        key = Key(metadata["namespace"], metadata["labels"][names.CLAIMED_BY])
        deployment, replica_sets, report = await asyncio.gather(
            self._cluster.find(DEPLOYMENTS, key.namespace, names.deployment(key)),
            self._cluster.list(REPLICA_SETS, key.namespace, labels=f"{names.FUNCTION}={key.name}"),
            evidence.readyz(self._session, pod),
        )
        template = deployment["spec"]["template"]["metadata"] if deployment else {}
        return Facts(
            function_exists=self._exists(key),
            state=str(report.get("state", "")),
            age=age,
            revision=metadata["labels"].get(names.REVISION, ""),
            replicas=deployment["spec"].get("replicas", 1) if deployment else None,
            current=template.get("labels", {}).get(names.REVISION, ""),
            replica_sets=replica_sets,
        )
