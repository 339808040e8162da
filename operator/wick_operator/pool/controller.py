"""Keeps the pools: a Deployment of warm pods, and one of dormant ones where they are wanted, for each runtime in each
namespace that has functions to use them.

Looks once a second at what changed of what the operator knows, decides the sizes (`sizing`), and applies a pool's
Deployment when it differs from what was last applied; so functions at rest cost it nothing. A pool nobody can use any
more, or that is switched off, is deleted. The size shrinks by at most one pod a look, so a pool that is no longer
needed goes gently.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from wick_api import diagnosis, names, warm
from wick_api.fault import Faults
from wick_api.function import Function
from wick_api.names import Key
from wick_kube.cluster import Cluster
from wick_kube.error import ApiError, ApiUnreachable
from wick_kube.reflector import Address, Reflector
from wick_kube.resource import DEPLOYMENTS, NAMESPACES, PODS
from wick_operator import metrics
from wick_operator import pool_settings as given
from wick_operator.config import OperatorConfig
from wick_operator.function.decisions import drift
from wick_operator.leader.fenced_writer import FencedWriter
from wick_operator.observed.snapshot import Deployment
from wick_operator.pool.audit import PoolAudit
from wick_operator.pool.decisions import manifest
from wick_operator.pool.decisions.sizing import StartDemand, dormant, size, step
from wick_operator.pool.decisions.users import Pool, Users
from wick_operator.pool_settings import PoolSettings

log = logging.getLogger(__name__)

Manifest = Mapping[str, Any]
_SIZE = "warm pool's size"
TICK = 1.0
UNUSED = 30.0
"""Seconds for which no function could use a pool before it is deleted: a new leader may not know all of them yet."""


class PoolPart(NamedTuple):
    """The warm pods of a pool, or its dormant ones: each have a Deployment."""

    namespace: str
    runtime: str
    dormant: bool

    @property
    def pool(self) -> Pool:
        return self.namespace, self.runtime


class PoolController:
    """See the module; `function` and `deployment` (that of a function) are the operator's view."""

    def __init__(  # noqa: PLR0913, PLR0917 - the doors it uses
        self,
        cluster: Cluster,
        fence: FencedWriter,
        config: OperatorConfig,
        function: Callable[[Key], Function | None],
        deployment: Callable[[Key], Deployment | None],
        audit: PoolAudit,
        clock: Callable[[], float],
        faults: Faults | None = None,
    ) -> None:
        self._faults = faults or Faults()
        self._cluster, self._fence, self._config = cluster, fence, config
        self._audit, self._clock = audit, clock
        self._pools = given.installation(config.pools)
        self._users = Users(function, deployment, config.runtimes, self._faults)
        self.touch = self._users.touch
        self._demand: dict[Pool, StartDemand] = {}
        self._applied: dict[PoolPart, dict[str, Any]] = {}
        self._there: dict[PoolPart, Manifest] = {}
        """The pools' Deployments, as mirrored."""
        self._unused: dict[PoolPart, float] = {}
        """Those that no function could use, and since when."""
        self._annotations: dict[str, Mapping[str, str]] = {}
        self._ready: dict[PoolPart, set[str]] = {}

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
                with self._faults.aside("audit of warm pods", "all"):
                    await self._audit.look(self._clock())
                await asyncio.sleep(TICK)

    async def _look(self) -> None:
        now = self._clock()
        for pool in self._users.look(now):
            self._demand.setdefault(pool, StartDemand()).started(now)
        users, starting = self._users.pools, self._users.starting
        for pool in users:
            with self._faults.aside(_SIZE, "/".join(pool)):
                await self._look_at(pool, now, starting=pool in starting)
        self._unused = {part: self._unused.get(part, now) for part in self._there if part.pool not in users}
        late = {part for part, since in self._unused.items() if now - since >= UNUSED}
        for part in [known for known in self._there if known in late or not self._wanted_at_all(known)]:
            with self._faults.aside(_SIZE, "/".join(part.pool)):
                await self._remove(part)

    async def _look_at(self, pool: Pool, now: float, *, starting: bool) -> None:
        settings = self._settings(pool)
        if settings is not None and settings.max:
            demand = self._demand.setdefault(pool, StartDemand())
            for part, wanted in self._wanted(pool, settings, demand, now):
                await self._keep(part, settings, step(wanted, self._size(part), starting=starting))

    def _wanted(
        self, pool: Pool, settings: PoolSettings, demand: StartDemand, now: float
    ) -> list[tuple[PoolPart, int]]:
        """How many pods each part is to have; no dormant part is made for none."""
        wanted = [(PoolPart(*pool, dormant=False), size(settings, demand.rate(now), demand.refill, demand.burst(now)))]
        asleep, count = PoolPart(*pool, dormant=True), dormant(settings, self._users.resting(pool))
        if count or (settings.dormant and asleep in self._there):
            wanted.append((asleep, count))
        return wanted

    def _size(self, part: PoolPart) -> int | None:
        """Pods it was last given; None where there is none yet."""
        before = self._applied.get(part) or self._there.get(part)
        return before["spec"]["replicas"] if before else None

    def _settings(self, pool: Pool) -> PoolSettings | None:
        try:
            return given.namespace(self._pools, self._annotations.get(pool[0], {})).get(pool[1])
        except given.PoolSettingsInvalid as error:
            log.warning("namespace %s: %s", pool[0], error)
            return self._pools.get(pool[1])

    def _wanted_at_all(self, part: PoolPart) -> bool:
        settings = self._settings(part.pool)
        return settings is not None and settings.max > 0 and (settings.dormant > 0 or not part.dormant)

    async def _keep(self, part: PoolPart, settings: PoolSettings, wanted: int) -> None:
        now = manifest.deployment(*part.pool, settings, self._config, wanted, dormant=part.dormant)
        _tell(part, wanted, len(self._ready.get(part, ())))
        if now == self._applied.get(part):
            return
        if part not in self._applied and part in self._there and not drift.differs(now, self._there[part]):
            self._applied[part] = now  # by the leader before: a restart writes nothing
            return
        try:
            await self._fence.apply(now)
        except (ApiError, ApiUnreachable, TimeoutError) as error:
            log.warning("pool %s/%s: %s", *part.pool, error)
        else:
            self._applied[part] = now

    async def _remove(self, part: PoolPart) -> None:
        name, uid = manifest.name(part.runtime, dormant=part.dormant), self._there[part]["metadata"]["uid"]
        try:
            await self._fence.delete(DEPLOYMENTS, part.namespace, name, uid=uid)
        except (ApiError, ApiUnreachable, TimeoutError) as error:
            log.warning("pool %s/%s: %s", *part.pool, error)
        else:
            self._applied.pop(part, None)
            if not part.dormant:
                self._demand.pop(part.pool, None)

    # What the mirrors tell

    def namespace(self, name: str, annotations: Mapping[str, str] | None) -> None:
        """A namespace's annotations; None where it is gone."""
        if annotations is None:
            self._annotations.pop(name, None)
        else:
            self._annotations[name] = annotations

    def pool(self, part: PoolPart, deployment: Manifest | None) -> None:
        """A pool's Deployment; None: it is gone, so it is applied again if it should be there."""
        if deployment:
            self._there[part] = deployment
        else:
            self._there.pop(part, None)
            self._applied.pop(part, None)

    def pod(self, pod: Manifest, ready_after: float | None) -> None:
        """A pool's pod: ready after so many seconds, or None where it is not (any more)."""
        part, uid = _part(pod), pod["metadata"]["uid"]
        ready = self._ready.setdefault(part, set())
        if "deletionTimestamp" not in pod["metadata"]:
            self._audit.seen(pod, self._clock())
        if ready_after is None:
            ready.discard(uid)
        elif uid not in ready:
            ready.add(uid)
            if not part.dormant:
                self._demand.setdefault(part.pool, StartDemand()).refilled(ready_after)

    def pod_gone(self, pod: Manifest) -> None:
        """It is no pool's any more."""
        uid = pod["metadata"]["uid"]
        self._ready.get(_part(pod), set()).discard(uid)
        self._audit.gone(uid)


class _Namespaces:
    def __init__(self, controller: PoolController) -> None:
        self._controller = controller

    def changed(self, address: Address, new: Manifest, _old: Manifest | None) -> None:
        self._controller.namespace(address[1], new["metadata"].get("annotations") or {})

    def deleted(self, address: Address, _old: Manifest) -> None:
        self._controller.namespace(address[1], None)


class _Pools:
    def __init__(self, controller: PoolController) -> None:
        self._controller = controller

    def changed(self, _: Address, new: Manifest, _old: Manifest | None) -> None:
        self._controller.pool(_part(new), new)

    def deleted(self, _: Address, old: Manifest) -> None:
        self._controller.pool(_part(old), None)


class _Pods:
    def __init__(self, controller: PoolController) -> None:
        self._controller = controller

    def changed(self, _: Address, new: Manifest, _old: Manifest | None) -> None:
        self._controller.pod(new, ready_after(new))

    def deleted(self, _: Address, old: Manifest) -> None:
        self._controller.pod_gone(old)


def ready_after(pod: Manifest) -> float | None:
    """Seconds from a pod's creation to its readiness (whole ones, as Kubernetes tells), or None where it is not."""
    if not diagnosis.is_ready(pod) or "deletionTimestamp" in pod["metadata"]:
        return None
    since = next(each["lastTransitionTime"] for each in pod["status"]["conditions"] if each["type"] == "Ready")
    made = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
    return max(0.0, (datetime.fromisoformat(since) - made).total_seconds())


def _tell(part: PoolPart, wanted: int, ready: int) -> None:
    size, waiting = (
        (metrics.DORMANT_SIZE, metrics.DORMANT_READY) if part.dormant else (metrics.POOL_SIZE, metrics.POOL_READY)
    )
    size.labels(*part.pool).set(wanted)
    waiting.labels(*part.pool).set(ready)


def _part(manifest: Manifest) -> PoolPart:
    metadata = manifest["metadata"]
    return PoolPart(metadata["namespace"], metadata["labels"][names.POOL], warm.is_dormant(manifest))
