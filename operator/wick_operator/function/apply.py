"""The writing half of a reconcile: children, one after the other, and never somebody else's."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from wick_api import names
from wick_api.function import Function
from wick_api.names import Key
from wick_api.reason import Reason
from wick_kube.cluster import Cluster
from wick_kube.error import ApiConflict, ApiError, ApiRefused
from wick_kube.resource import FUNCTIONS, of
from wick_operator.cache.store import Store
from wick_operator.config import OperatorConfig
from wick_operator.function.decisions import drift
from wick_operator.function.decisions.desired.action import Action, action
from wick_operator.function.decisions.desired.children import children
from wick_operator.function.decisions.status import ReconcileProblem
from wick_operator.function.plan import ReconcilePlan
from wick_operator.leader.fenced_writer import FencedWriter
from wick_operator.observed import managed_fields, snapshot
from wick_operator.observed.managed_fields import Owner
from wick_operator.observed.snapshot import KeptRevision

Manifest = Mapping[str, Any]


class Vanished(Exception):
    """The Function is not there any more, so nothing is made for it."""


class Blocked(Exception):
    """A child could not be brought to what is wanted; `problem` says why, `again` whether trying again may help."""

    def __init__(self, problem: ReconcileProblem, *, again: bool) -> None:
        super().__init__(problem.message)
        self.problem, self.again = problem, again


class Written(Struct):
    """Children that were just written, as the API server answered: the mirrors may not show them yet."""

    deployment: snapshot.Deployment | None = None
    service: snapshot.ChildSnapshot | None = None
    kept: KeptRevision | None = None
    blocked: Blocked | None = None
    """Why the rest was not written."""


class Applier:
    """Brings a function's children to what a plan wants."""

    def __init__(self, view: Store, cluster: Cluster, fence: FencedWriter, config: OperatorConfig) -> None:
        self._view, self._cluster, self._fence, self._config = view, cluster, fence, config

    async def apply(self, function: Function, plan: ReconcilePlan) -> Written:
        """Write what differs, in order, stopping at the first that can't be written: later ones refer to it."""
        written = Written()
        if plan.revision is None:
            return written
        wanted = children(function, self._config, plan.revision, plan.input, plan.checksum)
        present = [(child, self._observed(function, child)) for child in wanted]
        if any(observed is None for _, observed in present):
            await self._make_sure_it_exists(function)
        for child, observed in present:
            try:
                self._note(function, written, await self._bring(function, child, observed))
            except ApiRefused as error:
                written.blocked = Blocked(_refusal(child, error), again=True)
            except Blocked as blocked:
                written.blocked = blocked
            if written.blocked:
                break
        return written

    async def _make_sure_it_exists(self, function: Function) -> None:
        """No children for a Function that went unseen; what is made while it goes is collected by its owner's uid."""
        current = await self._cluster.find(FUNCTIONS, *function.key)
        if current is None or current["metadata"]["uid"] != function.metadata.uid:
            raise Vanished(str(function.key))
        if "deletionTimestamp" in current["metadata"]:
            raise Vanished(str(function.key))

    def _note(self, function: Function, written: Written, answer: dict[str, Any] | None) -> None:
        """Keep what the API server answered, and let the mirror's echo of it be no news."""
        if answer is None:
            return
        kind, name = answer["kind"], answer["metadata"]["name"]
        child: snapshot.Deployment | snapshot.ChildSnapshot | snapshot.ConfigObject
        if kind == "Deployment":
            child = written.deployment = snapshot.deployment_in(answer)
        elif kind == "Service":
            child = written.service = snapshot.service_in(answer)
        else:
            child = snapshot.config_in(answer)
            written.kept = child.kept
        self._view.expect(function.key, kind, name, child)

    async def _bring(self, function: Function, child: Manifest, observed: Manifest | None) -> dict[str, Any] | None:
        """Act on one child; the API server's answer where it was written."""
        owner = managed_fields.owner(function, observed) if observed is not None else None
        match action(owner, drifted=observed is not None and self._differs(child, observed)):
            case Action.CREATE:
                return await self._create(function, child)
            case Action.REPAIR:
                return await self._repair_or_meet(function, child, observed or {})
            case Action.WAIT:
                raise Blocked(_predecessor(child), again=False)
            case Action.REPORT:
                raise Blocked(_not_owned(child, observed or {}), again=False)
            case Action.KEEP:
                return None

    def _observed(self, function: Function, child: Manifest) -> Manifest | None:
        """The child as mirrored, or what is known of it."""
        key, name = function.key, child["metadata"]["name"]
        if child["kind"] == "Deployment":
            deployment = self._view.deployments.get(key)
            return deployment.child.manifest() if deployment else None
        if child["kind"] == "Service":
            service = self._view.services.get(key)
            return service.manifest() if service else None
        config = self._view.kept.get(key, {}).get(name)
        if config is None or config.kept is None:
            return None
        annotations = dict.fromkeys(child["metadata"]["annotations"], config.kept.input)
        metadata = {"name": name, "uid": config.kept.uid, "ownerReferences": config.owners, "annotations": annotations}
        return {"metadata": metadata}

    def _differs(self, child: Manifest, observed: Manifest) -> bool:
        if child["kind"] == "ConfigMap":
            # It is immutable and named by its content, so only its annotation can be out of date.
            return bool(child["metadata"]["annotations"] != observed["metadata"]["annotations"])
        return drift.differs(child, {**observed, "apiVersion": child["apiVersion"], "kind": child["kind"]})

    async def _create(self, function: Function, child: Manifest) -> dict[str, Any]:
        """Make a child without taking anything from an object the mirror does not show (yet)."""
        first = _with_replicas(child, function.spec.scale.initial) if child["kind"] == "Deployment" else child
        try:
            return await self._fence.apply(first, force=False)
        except ApiConflict:
            return await self._meet(function, child)

    async def _meet(self, function: Function, child: Manifest) -> dict[str, Any]:
        """The name is taken: by our own child, which the mirror will show, or by somebody else's object."""
        resource = of(child["apiVersion"], child["kind"])
        present = await self._cluster.get(resource, function.key.namespace, child["metadata"]["name"])
        match managed_fields.owner(function, present):
            case Owner.THIS:
                return await self._repair(child, present, tuple(managed_fields.replicas_managers(present)))
            case Owner.PREDECESSOR:
                raise Blocked(_predecessor(child), again=True)
            case Owner.ANOTHER:
                raise Blocked(_not_owned(child, present), again=True)

    async def _repair_or_meet(self, function: Function, child: Manifest, observed: Manifest) -> dict[str, Any]:
        """Repair what the mirror shows, or meet what has taken its name: the API server refuses its uid with a 422."""
        try:
            return await self._repair(child, observed, self._managers(function.key))
        except ApiRefused:
            resource = of(child["apiVersion"], child["kind"])
            present = await self._cluster.find(resource, function.key.namespace, child["metadata"]["name"])
            if present is not None and present["metadata"]["uid"] == observed["metadata"]["uid"]:
                raise
        except ApiConflict:
            pass  # it is gone, or another one's
        await self._make_sure_it_exists(function)
        return await self._create(function, child)

    async def _repair(self, child: Manifest, observed: Manifest, managers: Sequence[str]) -> dict[str, Any]:
        """Apply to this very object; `ApiConflict` where it is gone, `ApiRefused` where another has its name."""
        if child["kind"] == "Deployment" and managed_fields.replicas_are_ours(managers):
            await self._give_replicas_away(child, observed)
        metadata = {**child["metadata"], "uid": observed["metadata"]["uid"]}
        return await self._fence.apply({**child, "metadata": metadata})

    def _managers(self, key: Key) -> tuple[str, ...]:
        deployment = self._view.deployments.get(key)
        return deployment.managers if deployment else ()

    async def _give_replicas_away(self, child: Manifest, observed: Manifest) -> None:
        """Let the autoscaler own the number too, so that it stays when the operator's next apply leaves it out."""
        shared = _replicas_alone(child, observed["spec"].get("replicas", 0), observed["metadata"]["uid"])
        try:
            await self._fence.apply(shared, manager=names.AUTOSCALER, force=False)
        except ApiConflict:
            return  # somebody has set another number meanwhile, and so owns it


def _with_replicas(deployment: Manifest, replicas: int) -> Manifest:
    return {**deployment, "spec": {**deployment["spec"], "replicas": replicas}}


def _replicas_alone(deployment: Manifest, replicas: int, uid: str) -> Manifest:
    """An apply of nothing but the number of instances, to this very object."""
    metadata = {field: deployment["metadata"][field] for field in ("name", "namespace")}
    return {
        "apiVersion": deployment["apiVersion"],
        "kind": deployment["kind"],
        "metadata": {**metadata, "uid": uid},
        "spec": {"replicas": replicas},
    }


def _predecessor(child: Manifest) -> ReconcileProblem:
    what = f"{child['kind']} {child['metadata']['name']}"
    return ReconcileProblem(Reason.STARTING, f"{what} of the Function that was deleted before is still being removed.")


def _not_owned(child: Manifest, present: Manifest) -> ReconcileProblem:
    what, whose = f"{child['kind']} {child['metadata']['name']}", managed_fields.describe_owner(present)
    message = f"{what} exists already and belongs to {whose}; remove it or give the Function another name."
    return ReconcileProblem(Reason.NOT_OWNED, message)


def _refusal(child: Manifest, error: ApiError) -> ReconcileProblem:
    what = f"{child['kind']} {child['metadata']['name']}"
    reason = Reason.QUOTA if "exceeded quota" in error.message else Reason.CLUSTER_ERROR
    return ReconcileProblem(
        reason, f"{what} was refused by the API server: {' '.join(error.message.split())[:500].rstrip('.')}."
    )
