"""One reconcile of one function, the same for every trigger: plan, apply, look, report, tidy up.

    View --plan.make--> Plan --Applier--> children
      \\--pods, Inspector--> troubles --status.status--> status, Event

It is level-triggered: it compares what is wanted with what is there and keeps no progress. Running it twice in a row
writes nothing the second time; a crash anywhere in it is mended by the next run.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from wick_api import names
from wick_api.diagnosis import Trouble
from wick_api.fault import Faults, sentence
from wick_api.function import Function
from wick_api.names import Key
from wick_kube.cluster import Cluster
from wick_kube.error import ApiError, ApiUnreachable
from wick_kube.resource import CONFIG_MAPS
from wick_operator.cache.store import FunctionEntry, Store
from wick_operator.config import OperatorConfig
from wick_operator.function import plan, resizing
from wick_operator.function.apply import Applier, Vanished, Written
from wick_operator.function.decisions import evictions, history
from wick_operator.function.decisions import status as judge
from wick_operator.function.decisions.status import ObservedState, PodSummary
from wick_operator.function.event_recorder import Recorder
from wick_operator.function.inspector import Inspector
from wick_operator.function.plan import ReconcilePlan
from wick_operator.leader.fenced_writer import FencedWriter
from wick_operator.leader.work_queue import Again
from wick_operator.observed import managed_fields
from wick_operator.observed.snapshot import KeptRevision, PodSnapshot, owned, unready_since

_BORDER = "reconcile"
_SOON_AGAIN = 2.0
"""Seconds until instances that are starting are looked at again: a load error is no event of the pod."""
_LATER_AGAIN = 15.0
"""The same for those whose trouble is known, whose words may change."""
_MUCH_LATER = 60.0
"""The same for those that serve, where an eviction is told that will be of the past, or a resize may be granted."""


class Reconciler:
    """Reconciles functions; `today` gives the time as RFC 3339."""

    def __init__(  # noqa: PLR0913, PLR0917 - the doors it uses
        self,
        view: Store,
        cluster: Cluster,
        fence: FencedWriter,
        inspector: Inspector,
        recorder: Recorder,
        config: OperatorConfig,
        today: Callable[[], str],
        faults: Faults | None = None,
    ) -> None:
        self._faults = faults or Faults()
        self._view, self._cluster, self._fence, self._config, self._today = view, cluster, fence, config, today
        self._inspector, self._recorder = inspector, recorder
        self._applier = Applier(view, cluster, fence, config)

    async def reconcile(self, key: Key) -> float | None:
        """Bring one function to what is wanted; in how many seconds to look again, None for only when told."""
        try:
            again = await self._reconcile(key)
        except (Again, ApiError, ApiUnreachable, TimeoutError):
            raise  # the queue tries again
        except Exception as error:
            told = sentence(_BORDER, error)  # the queue counts it and tries again; here it is told
            await self._report_fault(key, told)
            raise
        return again

    async def _report_fault(self, key: Key, told: str) -> None:
        """Tell of a defect that this function brought out, with nothing but what was known of it before."""
        entry = self._view.functions.get(key)
        if entry is None:
            return
        function = entry.function
        status = judge.faulty(function, told, self._today())
        if status != owned(function.status):
            uid = function.metadata.uid
            answer = await self._fence.status(key, status, uid=uid, version=self._view.version(function))
            if answer is not None:
                self._view.wrote(key, answer)

    async def _reconcile(self, key: Key) -> float | None:
        entry = self._view.functions.get(key)
        if entry is None:
            self._recorder.forget(key)
            self._faults.forget(key)
            return None
        if entry.function.metadata.deletion_timestamp:
            return None  # its children go with it, by their owner references
        wanted = await plan.make(entry, self._view, self._cluster, self._config)
        try:
            written = await self._applier.apply(entry.function, wanted)
        except Vanished:
            self._view.gone(key, entry.function.metadata.uid)
            return None
        pods = self._view.live_pods(key)
        troubles, short = await self._troubles(key), await self._short(key, written)
        observed = self._observed(entry.function, wanted, written, troubles, short)
        await self._report(entry, observed)
        if written.blocked and written.blocked.again:
            raise Again(str(written.blocked))
        await self._tidy(entry.function, wanted, written, observed.kept)
        if all(pod.ready for pod in pods):
            return _MUCH_LATER if observed.evicted or observed.short else None
        return _LATER_AGAIN if observed.troubles else _SOON_AGAIN

    async def _troubles(self, key: Key) -> list[Trouble]:
        troubles = await self._inspector.troubles(self._view.live_pods(key))
        creation = [replica_set.trouble for replica_set in self._view.replica_sets.get(key, {}).values()]
        deployment = self._view.deployments.get(key)
        if not any(creation) and deployment:
            creation.append(deployment.trouble)
        return [*troubles, *(trouble for trouble in creation if trouble)]

    def _observed(
        self,
        function: Function,
        wanted: ReconcilePlan,
        written: Written,
        troubles: Sequence[Trouble],
        short: Trouble | None,
    ) -> ObservedState:
        """What is there: as answered where it was just written, else as mirrored."""
        key = function.key
        deployment = written.deployment or self._view.deployments.get(key)
        service = written.service or self._view.services.get(key)
        kept = {each.uid: each for each in self._view.revisions(key, function.metadata.uid)}
        if written.kept:
            kept[written.kept.uid] = written.kept
        name = wanted.revision.name if wanted.revision else ""
        evicted = self._evicted(key, name)
        replicas = deployment.wanted if deployment else 0
        return ObservedState(
            wanted=name,
            source=wanted.problem,
            blocked=written.blocked.problem if written.blocked else None,
            replicas_wanted=replicas,
            replicas=deployment.replicas if deployment else 0,
            ready_replicas=deployment.ready if deployment else 0,
            set_by_others=managed_fields.replicas_set_by_others(deployment.managers) if deployment else "",
            pods=[_summary(pod, self._today()) for pod in self._view.live_pods(key)],
            troubles=[*troubles, evicted] if evicted and replicas else troubles,
            evicted=evicted,
            short=short,
            service=service is not None,
            lost=self._view.table.lost(function.key),
            kept=history.newest_first(kept.values()),
            config_checksum=wanted.checksum,
            fault=self._faults.of(key),
        )

    async def _short(self, key: Key, written: Written) -> Trouble | None:
        """Give instances from the warm pool what they still lack; why one of them cannot have it."""
        deployment = written.deployment or self._view.deployments.get(key)
        adopted = [pod for pod in self._view.live_pods(key) if pod.adopted]
        if not adopted or deployment is None:
            return None
        present = [pod.manifest() for pod in adopted if pod.revision == deployment.revision]
        return await resizing.finish(self._fence, present, deployment.resources())

    def _evicted(self, key: Key, revision: str) -> Trouble | None:
        ended = self._view.ended_pods(key)
        if not ended:
            return None
        since = datetime.fromisoformat(self._today()) - timedelta(minutes=evictions.MEMORY)
        manifests = (pod.manifest() for pod in ended)
        return evictions.recent(manifests, revision, since.strftime("%Y-%m-%dT%H:%M:%SZ"))

    async def _report(self, entry: FunctionEntry, observed: ObservedState) -> None:
        """Write the status if it says something new, and tell of a change of state."""
        function = entry.function
        url = judge.url(function, self._config.cluster_domain)
        status = judge.status(function, observed, url, self._today())
        self._recorder.count(function, status)
        if status == owned(function.status):
            return
        self._view.expect(function.key, names.KIND, function.key.name, status)  # the echo may be here before the answer
        uid = function.metadata.uid
        answer = await self._fence.status(function.key, status, uid=uid, version=self._view.version(function))
        if answer is None:
            return  # it was deleted meanwhile, and perhaps made anew: the next event tells
        self._view.wrote(function.key, answer)
        await self._recorder.tell(function, status)

    async def _tidy(
        self, function: Function, wanted: ReconcilePlan, written: Written, kept: Sequence[KeptRevision]
    ) -> None:
        """Remove revisions beyond the history's limit."""
        if wanted.revision is None:
            return
        deployment = written.deployment or self._view.deployments.get(function.key)
        used = plan.in_use(function, wanted, deployment, self._view.pods.get(function.key, {}).values())
        for each in history.surplus(kept, used, function.spec.revision_history_limit):
            await self._fence.delete(CONFIG_MAPS, function.key.namespace, each.name, uid=each.uid)


def _summary(pod: PodSnapshot, now: str) -> PodSummary:
    if pod.ready:
        return PodSummary(pod.revision, ready=True)
    unready = datetime.fromisoformat(now) - datetime.fromisoformat(unready_since(pod.manifest()))
    return PodSummary(pod.revision, ready=False, unready_for=unready.total_seconds())
