"""What to do about a claimed warm pod; pure.

```
                         function gone, code failed (and its status says so), or nobody came in time
   claimed ---------------------------------------------------------------------> DELETE
      |  its container was restarted, adopted or not: it has no function any more --> DELETE
      |  runtime says ready
      |     its ReplicaSet wants pods, however late -------------------------------> ADOPT
      |        then, once that has no pod too many, the function's own may start -> RELEASE
      |     its revision's ReplicaSet wants none:
      |        the Deployment is at 0, and the router that claimed had its time -> SCALE to 1
      |        the Deployment runs another revision -------------------------> DELETE (it drains)
      +--- else ---------------------------------------------------------------> WAIT
```

Adoption waits for the *ReplicaSet's* own `spec.replicas`: relabelled while that is still 0, the pod would be adopted
only to be deleted (1 of 120, measured). The ReplicaSet has made a pod of its own by then, which the scheduler holds
back as long as the warm one stands in for it (`desired.placement`); it is dropped at the adoption, and only then is the
label taken away.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Raw, Struct

from wick_api import names
from wick_api.names import Key

Manifest = Mapping[str, Any]

GONE_PATIENCE = 3.0
"""Seconds for a new leader to be told of all Functions; a deleted one's claims are collected without it."""
CLAIM_PATIENCE = 5.0
"""Seconds from the claim to the call that gives the pod its function: a living router needs milliseconds."""
SPECIALIZE_PATIENCE = 35.0
"""Seconds from the claim to the end of specialization: the router's own limit for it, and some."""
SCALE_PATIENCE = 1.5
"""Seconds the router that claimed has to scale the Deployment itself."""
REPORT_PATIENCE = 3.0
"""Seconds a pod whose code failed is kept for the reconcile to read why, and write it to the Function's status."""
ADOPT_PATIENCE = 60.0
"""Seconds after which a pod that cannot be adopted goes."""
RELEASE_PATIENCE = 5.0
"""Seconds after the adoption until the function's own pods may run, though its ReplicaSet has not dropped one yet."""
READY = "ready"
"""What a runtime says of itself once its function serves."""
ROLLOUT = "deployment.kubernetes.io/revision"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


class Step(StrEnum):
    """See the module."""

    WAIT = "wait"
    SCALE = "scale"
    ADOPT = "adopt"
    RELEASE = "release"
    DELETE = "delete"


class TargetReplicaSet(Struct, frozen=True):
    """A ReplicaSet that wants pods: what of it matters here."""

    key: Key
    revision: str
    created: str
    """RFC 3339: the order of texts is the order of times."""
    rollout: int
    """Which of the Deployment's rollouts wants it: the highest is the present one, also after going back."""
    ready: int
    """Pods that serve."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    resources: Mapping[str, Any]
    """Of its pods' first container."""
    owner: Mapping[str, Any]
    """The reference by which a pod is its own."""
    observed: bool = True
    """Whether its controller knows that it wants pods; until then that would take a pod for one too many."""
    settled: bool = False
    """Whether it has a pod that serves, and none too many."""


class AdoptionFacts(Struct, frozen=True, kw_only=True):
    """Everything the decision rests on."""

    function_exists: bool
    state: str
    """The runtime's own word: ``pool``, ``loading``, ``ready``, ``failed``, ``draining``; empty: no answer."""
    age: float
    """Seconds since this operator first saw the claim; never more than since the claim."""
    revision: str
    replicas: int | None
    """Of the Deployment's spec; None where there is no Deployment."""
    current: str
    """Revision of the Deployment's template."""
    adopted: bool = False
    """A ReplicaSet has it; then `age` counts from there."""
    forgot: bool = False
    """Its container was restarted since the claim."""
    reported: bool = False
    """The Function's status says that this revision's code does not load."""
    homes: Sequence[TargetReplicaSet] = ()
    """The function's ReplicaSets whose own `spec.replicas` is at least 1."""


class AdoptionPlan(Struct, frozen=True):
    """What to do, and into which ReplicaSet."""

    step: Step
    home: TargetReplicaSet | None = None


def decide(facts: AdoptionFacts) -> AdoptionPlan:
    """The next step for one claimed pod."""
    if facts.forgot:
        return AdoptionPlan(Step.DELETE)
    if not facts.function_exists:
        return AdoptionPlan(Step.DELETE if facts.age > GONE_PATIENCE else Step.WAIT)
    if facts.adopted:
        settled = all(each.settled for each in facts.homes if each.revision == facts.revision)
        return AdoptionPlan(Step.RELEASE if settled or facts.age > RELEASE_PATIENCE else Step.WAIT)
    if facts.state == READY:
        return _serving(facts)
    failed = 0.0 if facts.reported else REPORT_PATIENCE
    patience = {"failed": failed, "pool": CLAIM_PATIENCE}.get(facts.state, SPECIALIZE_PATIENCE)
    return AdoptionPlan(Step.DELETE if facts.age > patience else Step.WAIT)


def _serving(facts: AdoptionFacts) -> AdoptionPlan:
    fitting = [each for each in facts.homes if each.revision == facts.revision]
    if fitting:
        chosen = max(fitting, key=lambda each: each.created)
        return AdoptionPlan(Step.ADOPT, chosen) if chosen.observed else AdoptionPlan(Step.WAIT)
    if facts.age > ADOPT_PATIENCE:
        return AdoptionPlan(Step.DELETE)
    if facts.replicas is None:
        return AdoptionPlan(Step.WAIT)
    if facts.replicas == 0:
        return AdoptionPlan(Step.SCALE if facts.age > SCALE_PATIENCE else Step.WAIT)
    return AdoptionPlan(Step.WAIT if facts.current == facts.revision else Step.DELETE)


def home(raw: Raw) -> TargetReplicaSet | None:
    """Read a function's ReplicaSet; None for one that wants no pods."""
    manifest = msgspec.json.decode(raw, type=dict[str, Any])
    metadata, spec = manifest["metadata"], manifest["spec"]
    if spec.get("replicas", 1) < 1:
        return None
    template, status = spec["template"], manifest.get("status", {})
    labels = template["metadata"].get("labels", {})
    return TargetReplicaSet(
        key=Key(metadata["namespace"], labels.get(names.FUNCTION, "")),
        revision=labels.get(names.REVISION, ""),
        created=metadata.get("creationTimestamp", ""),
        rollout=int((metadata.get("annotations") or {}).get(ROLLOUT, 0)),
        ready=status.get("readyReplicas", 0),
        labels=labels,
        annotations=template["metadata"].get("annotations") or {},
        resources=template["spec"]["containers"][0].get("resources", {}),
        owner={
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": metadata["name"],
            "uid": metadata["uid"],
            "controller": True,
        },
        observed=status.get("observedGeneration", 0) >= metadata.get("generation", 0),
        settled=status.get("readyReplicas", 0) > 0 and status.get("replicas", 0) <= spec.get("replicas", 1),
    )


def adopt(pod: Manifest, home: TargetReplicaSet) -> dict[str, Any]:
    """The merge patch that makes the pod one of the ReplicaSet's, and dearer than the one it has made meanwhile.

    It names the owner too, which the ReplicaSet's controller would otherwise look up and write itself while the pod
    to drop goes on starting. It names the pod's uid and not its version: the kubelet may write the status at any time,
    and of a pod that is being deleted labels and owner do not matter any more.
    """
    return {
        "metadata": {
            "uid": pod["metadata"]["uid"],
            "ownerReferences": [dict(home.owner)],
            "labels": dict(home.labels),
            "annotations": {**home.annotations, DELETION_COST: "100"},
        }
    }


def release(pod: Manifest) -> dict[str, Any]:
    """The merge patch after which nodes may take the function's own pods."""
    return {"metadata": {"uid": pod["metadata"]["uid"], "labels": {names.STANDS_IN_FOR: None}}}


def claim_and_adopt(claim: Manifest, adoption: Manifest) -> dict[str, Any]:
    """A `claim` and the adoption of the same pod in one merge patch, for a ReplicaSet that wants pods already.

    Its pod is with a node by then, so there is nothing to hold back.
    """
    before, after = claim["metadata"], adoption["metadata"]
    return {
        "metadata": {
            **after,
            "labels": {**before["labels"], **after["labels"], names.STANDS_IN_FOR: None},
            "annotations": {**before.get("annotations", {}), **after["annotations"]},
        }
    }
