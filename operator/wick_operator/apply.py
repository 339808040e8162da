"""The writing half of a reconcile: children, one after the other, and never somebody else's."""

from collections.abc import Mapping
from typing import Any

from wick_api import names
from wick_api.function import Function
from wick_api.names import Key
from wick_api.reason import Reason
from wick_kube.cluster import Cluster
from wick_kube.error import ApiError, Conflict, Refused
from wick_kube.resource import FUNCTIONS, of
from wick_operator import drift, ownership
from wick_operator.config import Config
from wick_operator.desired.action import Action, action
from wick_operator.desired.children import children
from wick_operator.fence import Fence
from wick_operator.ownership import Owner
from wick_operator.plan import Plan
from wick_operator.status import Problem
from wick_operator.view import View

Manifest = Mapping[str, Any]


class Vanished(Exception):
    """The Function is not there any more, so nothing is made for it."""


class Blocked(Exception):
    """A child could not be brought to what is wanted; `problem` says why, `again` whether trying again may help."""

    def __init__(self, problem: Problem, *, again: bool) -> None:
        super().__init__(problem.message)
        self.problem, self.again = problem, again


class Applier:
    """Brings a function's children to what a plan wants."""

    def __init__(self, view: View, cluster: Cluster, fence: Fence, config: Config) -> None:
        self._view, self._cluster, self._fence, self._config = view, cluster, fence, config

    async def apply(self, function: Function, plan: Plan) -> None:
        """Write what differs, in order, stopping at the first that can't be written: later ones refer to it."""
        if plan.revision is None:
            return
        for child in children(function, self._config, plan.revision, plan.input, plan.checksum):
            try:
                await self._bring(function, child)
            except Refused as error:
                raise Blocked(_refusal(child, error), again=True) from error

    async def _bring(self, function: Function, child: Manifest) -> None:
        observed = self._observed(function, child)
        owner = ownership.owner(function, observed) if observed is not None else None
        match action(owner, drifted=observed is not None and self._differs(child, observed)):
            case Action.CREATE:
                await self._create(function, child)
            case Action.REPAIR:
                await self._repair(child, observed or {})
            case Action.WAIT:
                raise Blocked(_predecessor(child), again=False)
            case Action.REPORT:
                raise Blocked(_not_owned(child, observed or {}), again=False)
            case Action.KEEP:
                await self._give_replicas_away(child)

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

    async def _create(self, function: Function, child: Manifest) -> None:
        """Make a child without taking anything from an object the mirror does not show (yet)."""
        current = await self._cluster.find(FUNCTIONS, *function.key)
        if current is None or current["metadata"]["uid"] != function.metadata.uid:
            raise Vanished(str(function.key))
        if "deletionTimestamp" in current["metadata"]:
            raise Vanished(str(function.key))
        replicas = function.spec.scale.initial
        first = _with_replicas(child, replicas) if child["kind"] == "Deployment" else child
        try:
            await self._fence.apply(first, force=False)
        except Conflict:
            await self._meet(function, child)
            return
        if child["kind"] == "Deployment":
            await self._fence.apply(_replicas_alone(child, replicas), manager=names.AUTOSCALER)

    async def _meet(self, function: Function, child: Manifest) -> None:
        """The name is taken: by our own child, which the mirror will show, or by somebody else's object."""
        resource = of(child["apiVersion"], child["kind"])
        present = await self._cluster.get(resource, function.key.namespace, child["metadata"]["name"])
        match ownership.owner(function, present):
            case Owner.THIS:
                if ownership.replicas_are_ours(ownership.replicas_managers(present)):
                    replicas = present["spec"].get("replicas", 0)
                    await self._fence.apply(_replicas_alone(child, replicas), manager=names.AUTOSCALER)
                await self._repair(child, present)
            case Owner.PREDECESSOR:
                raise Blocked(_predecessor(child), again=True)
            case Owner.ANOTHER:
                raise Blocked(_not_owned(child, present), again=True)

    async def _repair(self, child: Manifest, observed: Manifest) -> None:
        """Apply to this very object; one that took its name meanwhile is a `Conflict`."""
        await self._give_replicas_away(child)
        metadata = {**child["metadata"], "uid": observed["metadata"]["uid"]}
        await self._fence.apply({**child, "metadata": metadata})

    async def _give_replicas_away(self, child: Manifest) -> None:
        """Finish what a crash between making a Deployment and handing its replicas over left undone."""
        if child["kind"] != "Deployment":
            return
        deployment = self._view.deployments.get(Key(child["metadata"]["namespace"], child["metadata"]["name"]))
        if deployment and ownership.replicas_are_ours(deployment.managers):
            await self._fence.apply(_replicas_alone(child, deployment.wanted), manager=names.AUTOSCALER)


def _with_replicas(deployment: Manifest, replicas: int) -> Manifest:
    return {**deployment, "spec": {**deployment["spec"], "replicas": replicas}}


def _replicas_alone(deployment: Manifest, replicas: int) -> Manifest:
    """An apply of nothing but the number of instances, as its owner."""
    metadata = {field: deployment["metadata"][field] for field in ("name", "namespace")}
    return {
        "apiVersion": deployment["apiVersion"],
        "kind": deployment["kind"],
        "metadata": metadata,
        "spec": {"replicas": replicas},
    }


def _predecessor(child: Manifest) -> Problem:
    what = f"{child['kind']} {child['metadata']['name']}"
    return Problem(Reason.STARTING, f"{what} of the Function that was deleted before is still being removed.")


def _not_owned(child: Manifest, present: Manifest) -> Problem:
    what, whose = f"{child['kind']} {child['metadata']['name']}", ownership.describe_owner(present)
    message = f"{what} exists already and belongs to {whose}; remove it or give the Function another name."
    return Problem(Reason.NOT_OWNED, message)


def _refusal(child: Manifest, error: ApiError) -> Problem:
    what = f"{child['kind']} {child['metadata']['name']}"
    reason = Reason.QUOTA if "exceeded quota" in error.message else Reason.CLUSTER_ERROR
    return Problem(
        reason, f"{what} was refused by the API server: {' '.join(error.message.split())[:500].rstrip('.')}."
    )
