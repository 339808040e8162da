"""Keeps the pools: one Deployment for each runtime in each namespace that has functions to use it.

Looks once a second at what changed of what the operator knows, decides the sizes (`sizing`), and applies a pool's
Deployment when it differs from what was last applied; so functions at rest cost it nothing. A pool nobody can use any
more, or that is switched off, is deleted. The size shrinks by at most one pod a look, so a pool that is no longer
needed goes gently.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from wick_api import diagnosis, names
from wick_api.function import Function
from wick_api.names import Key
from wick_kube.cluster import Cluster
from wick_kube.error import ApiError, Unreachable
from wick_kube.reflector import Address, Reflector
from wick_kube.resource import DEPLOYMENTS, NAMESPACES, PODS
from wick_operator import drift, metrics
from wick_operator.config import Config
from wick_operator.fence import Fence
from wick_operator.pool import manifest
from wick_operator.pool import settings as given
from wick_operator.pool.audit import Audit
from wick_operator.pool.settings import Settings
from wick_operator.pool.sizing import Demand, size, step
from wick_operator.pool.users import Pool, Users
from wick_operator.seen import Deployment

log = logging.getLogger(__name__)

Manifest = Mapping[str, Any]
TICK = 1.0
UNUSED = 30.0
"""Seconds for which no function could use a pool before it is deleted: a new leader may not know all of them yet."""


class Keeper:
    """See the module; `function` and `deployment` (that of a function) are the operator's view."""

    def __init__(  # noqa: PLR0913, PLR0917 - the doors it uses
        self,
        cluster: Cluster,
        fence: Fence,
        config: Config,
        function: Callable[[Key], Function | None],
        deployment: Callable[[Key], Deployment | None],
        audit: Audit,
        clock: Callable[[], float],
    ) -> None:
        self._cluster, self._fence, self._config = cluster, fence, config
        self._audit, self._clock = audit, clock
        self._pools = given.installation(config.pools)
        self._users = Users(function, deployment, config.runtimes)
        self.touch = self._users.touch
        self._demand: dict[Pool, Demand] = {}
        self._applied: dict[Pool, dict[str, Any]] = {}
        self._there: dict[Pool, Manifest] = {}
        """The pools' Deployments, as mirrored."""
        self._unused: dict[Pool, float] = {}
        """Those that no function could use, and since when."""
        self._annotations: dict[str, Mapping[str, str]] = {}
        self._ready: dict[Pool, set[str]] = {}

    async def run(self) -> None:
        """Until cancelled."""
        namespaces: tuple[str | None, ...] = self._config.namespaces or (None,)
        async with asyncio.TaskGroup() as group:
            mirrors: list[Reflector[Any]] = []
            for namespace in namespaces:
                pods = Reflector(self._cluster, PODS, _Pods(self), namespace=namespace, labels=names.POOL)
                pools = Reflector(self._cluster, DEPLOYMENTS, _Pools(self), namespace=namespace, labels=names.POOL)
                mirrors += [pods, pools]
            if not self._config.namespaces:  # a namespaced installation may not read Namespaces
                mirrors.append(Reflector(self._cluster, NAMESPACES, _Namespaces(self)))
            for mirror in mirrors:
                group.create_task(mirror.run())
            for mirror in mirrors:
                await mirror.synced.wait()
            while True:
                await self._look()
                await self._audit.look(self._clock())
                await asyncio.sleep(TICK)

    async def _look(self) -> None:
        now = self._clock()
        for pool in self._users.look(now):
            self._demand.setdefault(pool, Demand()).started(now)
        users, starting = self._users.pools, self._users.starting
        for pool in users:
            settings = self._settings(pool)
            if settings is not None and settings.max:
                demand = self._demand.setdefault(pool, Demand())
                wanted = size(settings, demand.rate(now), demand.refill, demand.burst(now))
                before = self._applied.get(pool) or self._there.get(pool)
                size_before = before["spec"]["replicas"] if before else None
                await self._keep(pool, settings, step(wanted, size_before, starting=pool in starting))
        self._unused = {pool: self._unused.get(pool, now) for pool in self._there if pool not in users}
        late = {pool for pool, since in self._unused.items() if now - since >= UNUSED}
        for pool in [known for known in self._there if known in late or not self._wanted_at_all(known)]:
            await self._remove(pool)

    def _settings(self, pool: Pool) -> Settings | None:
        try:
            return given.namespace(self._pools, self._annotations.get(pool[0], {})).get(pool[1])
        except given.Invalid as error:
            log.warning("namespace %s: %s", pool[0], error)
            return self._pools.get(pool[1])

    def _wanted_at_all(self, pool: Pool) -> bool:
        settings = self._settings(pool)
        return settings is not None and settings.max > 0

    async def _keep(self, pool: Pool, settings: Settings, wanted: int) -> None:
        now = manifest.deployment(*pool, settings, self._config, wanted)
        metrics.POOL_SIZE.labels(*pool).set(wanted)
        metrics.POOL_READY.labels(*pool).set(len(self._ready.get(pool, ())))
        if now == self._applied.get(pool):
            return
        if pool not in self._applied and pool in self._there and not drift.differs(now, self._there[pool]):
            self._applied[pool] = now  # by the leader before: a restart writes nothing
            return
        try:
            await self._fence.apply(now)
        except (ApiError, Unreachable) as error:
            log.warning("pool %s/%s: %s", *pool, error)
        else:
            self._applied[pool] = now

    async def _remove(self, pool: Pool) -> None:
        namespace, runtime = pool
        try:
            await self._fence.delete(
                DEPLOYMENTS, namespace, manifest.name(runtime), uid=self._there[pool]["metadata"]["uid"]
            )
        except (ApiError, Unreachable) as error:
            log.warning("pool %s/%s: %s", *pool, error)
        else:
            self._applied.pop(pool, None)
            self._demand.pop(pool, None)

    # What the mirrors tell

    def namespace(self, name: str, annotations: Mapping[str, str] | None) -> None:
        """A namespace's annotations; None where it is gone."""
        if annotations is None:
            self._annotations.pop(name, None)
        else:
            self._annotations[name] = annotations

    def pool(self, pool: Pool, deployment: Manifest | None) -> None:
        """A pool's Deployment; None: it is gone, so it is applied again if it should be there."""
        if deployment:
            self._there[pool] = deployment
        else:
            self._there.pop(pool, None)
            self._applied.pop(pool, None)

    def pod(self, pod: Manifest, ready_after: float | None) -> None:
        """A warm pod: ready after so many seconds, or None where it is not (any more)."""
        pool, uid = _pool(pod), pod["metadata"]["uid"]
        ready = self._ready.setdefault(pool, set())
        if "deletionTimestamp" not in pod["metadata"]:
            self._audit.seen(pod, self._clock())
        if ready_after is None:
            ready.discard(uid)
        elif uid not in ready:
            ready.add(uid)
            self._demand.setdefault(pool, Demand()).refilled(ready_after)

    def pod_gone(self, pod: Manifest) -> None:
        """It is no pool's any more."""
        uid = pod["metadata"]["uid"]
        self._ready.get(_pool(pod), set()).discard(uid)
        self._audit.gone(uid)


class _Namespaces:
    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def changed(self, address: Address, new: Manifest, _old: Manifest | None) -> None:
        self._keeper.namespace(address[1], new["metadata"].get("annotations") or {})

    def deleted(self, address: Address, _old: Manifest) -> None:
        self._keeper.namespace(address[1], None)


class _Pools:
    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def changed(self, _: Address, new: Manifest, _old: Manifest | None) -> None:
        self._keeper.pool(_pool(new), new)

    def deleted(self, _: Address, old: Manifest) -> None:
        self._keeper.pool(_pool(old), None)


class _Pods:
    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def changed(self, _: Address, new: Manifest, _old: Manifest | None) -> None:
        self._keeper.pod(new, ready_after(new))

    def deleted(self, _: Address, old: Manifest) -> None:
        self._keeper.pod_gone(old)


def ready_after(pod: Manifest) -> float | None:
    """Seconds from a pod's creation to its readiness (whole ones, as Kubernetes tells), or None where it is not."""
    if not diagnosis.is_ready(pod) or "deletionTimestamp" in pod["metadata"]:
        return None
    since = next(each["lastTransitionTime"] for each in pod["status"]["conditions"] if each["type"] == "Ready")
    made = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
    return max(0.0, (datetime.fromisoformat(since) - made).total_seconds())


def _pool(manifest: Manifest) -> Pool:
    metadata = manifest["metadata"]
    return metadata["namespace"], metadata["labels"][names.POOL]
