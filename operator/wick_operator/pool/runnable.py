"""The warm pool's half of a leading operator."""

import asyncio
import logging
from collections.abc import Iterable
from time import monotonic

import aiohttp

from wick_api.fault import Faults
from wick_api.function import Function
from wick_api.names import Key
from wick_kube.cluster import Cluster
from wick_kube.error import ApiError, ApiUnreachable
from wick_kube.resource import PODS
from wick_operator.cache.store import Store
from wick_operator.config import OperatorConfig
from wick_operator.function.decisions.status import unloadable
from wick_operator.leader.fenced_writer import FencedWriter
from wick_operator.pool.adopter import Adopter, FunctionFacts
from wick_operator.pool.audit import PoolAudit
from wick_operator.pool.controller import PoolController
from wick_operator.pool.decisions.dropped import GRACE, Dropped
from wick_operator.pool.update import Updates

log = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between two looks at pods that are leaving."""


class WarmPoolController:
    """Controller, adopter and updates, from the operator's view to its fence."""

    def __init__(
        self,
        cluster: Cluster,
        fence: FencedWriter,
        session: aiohttp.ClientSession,
        view: Store,
        config: OperatorConfig,
        faults: Faults | None = None,
    ) -> None:
        self._view, self._fence = view, fence
        self._faults = faults = faults or Faults()
        namespaces: tuple[str | None, ...] = config.namespaces or (None,)
        self._controller = PoolController(
            cluster,
            fence,
            config,
            self._usable,
            self._view.deployments.get,
            PoolAudit(fence, session),
            monotonic,
            faults,
        )
        self._updates = Updates(cluster, fence, self._function, config.pool_key, faults)
        self._adopter = Adopter(
            cluster, fence, session, self._known, self._updates.consider, namespaces, monotonic, faults
        )

    async def run(self) -> None:
        """Until cancelled."""
        self._view.watch(self._controller.touch)
        for key in self._view.functions:
            self._controller.touch(key)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._controller.run())
            group.create_task(self._adopter.run())
            group.create_task(self._updates.run())
            group.create_task(self._hasten())

    def poke(self, keys: Iterable[Key]) -> None:
        """Demand alone changes nothing here: starts show in the Deployments."""

    def metrics(self) -> bytes:
        """Nothing here: its series are in `wick_operator.metrics`."""
        return b""

    async def _hasten(self) -> None:
        dropped = Dropped()
        while True:
            with self._faults.aside("ends of pods", "all"):
                await self._hasten_once(dropped)
            await asyncio.sleep(EVERY)

    async def _hasten_once(self, dropped: Dropped) -> None:
        leaving = [pod for each in self._view.pods.values() for pod in each.values() if pod.leaving]
        for pod in dropped.look(leaving, monotonic()):
            try:
                await self._fence.delete(PODS, pod.key.namespace, pod.name, uid=pod.uid, grace=GRACE)
            except (ApiError, ApiUnreachable, TimeoutError) as error:
                log.warning("%s/%s: %s", pod.key.namespace, pod.name, error)

    def _usable(self, key: Key) -> Function | None:
        """A Function that can be parsed."""
        entry = self._view.functions.get(key)
        return entry.stable if entry else None

    def _function(self, key: Key) -> Function | None:
        entry = self._view.functions.get(key)
        return entry.function if entry and entry.function.metadata.deletion_timestamp is None else None

    def _known(self, key: Key) -> FunctionFacts:
        entry, deployment = self._view.functions.get(key), self._view.deployments.get(key)
        return FunctionFacts(
            exists=entry is not None and entry.function.metadata.deletion_timestamp is None,
            replicas=deployment.wanted if deployment else None,
            current=deployment.revision if deployment else "",
            resources=deployment.resources() if deployment else None,
            unloadable=unloadable(entry.function) if entry else "",
        )
