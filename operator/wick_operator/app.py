"""The operator's process: follow, lead, stop.

    start -> admin port -> follow until the Lease is ours -> lead: mirrors, kopf, queue, audit, and what else leads
                               |                               |
                               +------- SIGTERM ---------------+--> no new work, finish, give the Lease back, exit 0
                                                               +--> Lease lost or a task failed: exit 1 at once

A process that has led never follows again: it ends, and starts anew without any memory.
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Iterable, Mapping
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Protocol

import aiohttp

from wick_api import names
from wick_api.fault import Faults
from wick_api.function import Function
from wick_api.names import Key
from wick_autoscaler.decisions.announcement import Announcement
from wick_autoscaler.external_metrics import Sources
from wick_autoscaler.loop import AutoscalerSettings
from wick_kube.cluster import Cluster
from wick_kube.resource import Resource
from wick_operator import admin, metrics
from wick_operator.autoscaler.controller import AutoscalerController
from wick_operator.autoscaler.hpa import CompetingHpas
from wick_operator.autoscaler.routers import Routers
from wick_operator.cache.audit import CacheAudit
from wick_operator.cache.kopf_informer import Informer
from wick_operator.cache.store import Store
from wick_operator.config import OperatorConfig
from wick_operator.function.event_recorder import EventSource, Recorder, event
from wick_operator.function.inspector import Inspector
from wick_operator.function.reconcile import Reconciler
from wick_operator.leader.decisions.work_schedule import BackoffLimits
from wick_operator.leader.fenced_writer import FencedWriter
from wick_operator.leader.leadership import Leadership
from wick_operator.leader.work_queue import WorkQueue
from wick_operator.pool.runnable import WarmPoolController

log = logging.getLogger(__name__)

_HEARTBEAT = 5.0
"""Seconds kopf's loop may take to answer before the process counts as stuck."""
_LATE = 300.0
"""Seconds a function may be overdue before the process counts as stuck."""


class Companion(Protocol):
    """Something else that runs while this process leads."""

    async def run(self) -> None:
        """Until cancelled."""

    def poke(self, keys: Iterable[Key]) -> None:
        """These functions' demand may have changed."""

    def metrics(self) -> bytes:
        """Its series, as Prometheus text."""


def now() -> str:
    """RFC 3339 in seconds, as in conditions."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def precisely_now() -> str:
    """RFC 3339 in microseconds, as in Leases and Events."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Operator:
    """Everything one process needs, wired once."""

    def __init__(self, config: OperatorConfig, cluster: Cluster, session: aiohttp.ClientSession) -> None:
        self.config = config
        self.leadership = Leadership(cluster, config, monotonic, precisely_now)
        self.fence = FencedWriter(cluster, self.leadership.remaining, config.request_timeout)
        limits = BackoffLimits(rate=config.rate, burst=config.burst)
        self.queue = WorkQueue(self._reconcile, limits, monotonic)
        self.view = Store(self.queue.enqueue, config.policy)
        self.faults = Faults(self.queue.enqueue, lambda border: metrics.FAULTS.labels(border).inc())
        cluster.fault = lambda resource, address, error: _caught(self.faults, resource, address, error)
        self.view.mirror(cluster, config.namespaces or (None,))
        inspector = Inspector(cluster, session, monotonic)
        recorder = Recorder(self.fence, config.identity, monotonic, precisely_now)
        self._reconciler = Reconciler(self.view, cluster, self.fence, inspector, recorder, config, now, self.faults)
        self._informer = Informer(cluster.configuration, config.namespaces, self._told)
        self._audit = CacheAudit(self.view, cluster, config.namespaces, self.queue.enqueue, config.resync)
        self.companions: list[Companion] = [self._scaling(cluster)]
        if config.pool_key:
            self.companions.append(WarmPoolController(cluster, self.fence, session, self.view, config, self.faults))
        self._loop = asyncio.get_running_loop()
        self._synced = False

    def _scaling(self, cluster: Cluster) -> Companion:
        """The autoscaler, reading this view and writing through this fence."""

        def announced(function: Function, announcement: Announcement, note: str) -> Mapping[str, Any]:
            origin = EventSource(self.config.identity, precisely_now(), names.AUTOSCALER)
            return event(function, announcement.type, announcement.reason, note, origin)

        return AutoscalerController(
            cluster,
            view=self.view,
            fence=self.fence,
            routers=Routers(cluster, self.config.namespace),
            rivals=CompetingHpas(cluster, self.config.namespaces or (None,)),
            event=announced,
            instances=self.view.metrics_urls,
            settings=AutoscalerSettings(sources=Sources(server=self.config.prometheus)),
            faults=self.faults,
        )

    async def _reconcile(self, key: Key) -> float | None:
        return await self._reconciler.reconcile(key)

    def _told(self, manifest: dict[str, Any], gone: bool) -> None:  # noqa: FBT001 - kopf's thread says so
        self._loop.call_soon_threadsafe(self._take, manifest, gone)

    def _take(self, manifest: dict[str, Any], gone: bool) -> None:  # noqa: FBT001 - as above
        metadata = manifest["metadata"]
        with self.faults.border("reading of the Function", Key(metadata["namespace"], metadata["name"])):
            self.view.told(manifest, gone=gone)

    async def run(self, stop: asyncio.Event) -> None:
        """Follow, lead, and return after `stop`; whatever else ends it is raised."""
        probes = admin.Probes(self._health, self._readiness, self._poke, self._metrics)
        async with admin.serving(probes, self.config.admin_host, self.config.admin_port) as port:
            log.info("admin port %d", port)
            if not await _unless(stop, self.leadership.acquire()):
                return
            metrics.LEADING.set(1)
            try:
                await self._lead(stop)
            finally:
                metrics.LEADING.set(0)
                await self.leadership.release()

    async def _lead(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self.leadership.keep(), name="leadership"),
                group.create_task(self.view.run(), name="mirrors"),
                group.create_task(self._informer.run(), name="kopf"),
                group.create_task(self._audit.run(), name="audit"),
            ]
            if await _unless(stop, self.view.synced()):
                self._synced = True
                tasks += [group.create_task(companion.run()) for companion in self.companions]
                work = group.create_task(self.queue.run(self.config.workers), name="queue")
                await stop.wait()
                self.queue.close()
                await asyncio.wait([work], timeout=self.config.grace)
                tasks.append(work)
            for task in tasks:
                task.cancel()

    async def _health(self) -> str:
        if not await self._informer.heartbeat(_HEARTBEAT):
            return "kopf's loop does not answer"
        if self.leadership.leading and self.queue.late() > _LATE:
            return f"a function has been waiting for {self.queue.late():.0f} s"
        return ""

    def _readiness(self) -> str:
        return "" if self._synced or not self.leadership.leading else "the mirrors are not complete yet"

    def _poke(self, keys: Iterable[Key]) -> None:
        if self.leadership.leading:
            for companion in self.companions:
                companion.poke(keys)

    def _metrics(self) -> bytes:
        metrics.QUEUE_DEPTH.set(len(self.queue))
        metrics.QUEUE_LATE_SECONDS.set(self.queue.late())
        return b"".join(companion.metrics() for companion in self.companions)


def _caught(faults: Faults, resource: Resource, address: tuple[str, str], error: Exception) -> None:
    """A mirrored object's trouble; Deployments, Services and Functions have their function's name, others not."""
    border = f"mirror of {resource.kind}"
    if resource.kind in {names.KIND, "Deployment", "Service"}:
        faults.caught(border, Key(*address), error)
    else:
        faults.counted(border, "/".join(address), error)


async def _unless(stop: asyncio.Event, work: Awaitable[None]) -> bool:
    """Wait for `work`, unless `stop` comes first; whether it was done."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
            return True
        return False
    finally:
        for task in (working, stopping):
            task.cancel()


async def serve(config: OperatorConfig) -> None:
    """Run one operator until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with await Cluster.connect() as cluster, aiohttp.ClientSession() as session:
        cluster.observe = metrics.called
        await Operator(config, cluster, session).run(stop)
