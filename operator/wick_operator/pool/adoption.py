"""What to do about a claimed warm pod; pure.

```
                         function gone, code failed, or nobody came in time
   claimed ---------------------------------------------------------------------> DELETE
      |  runtime says ready
      |     its revision's ReplicaSet wants none:
      |        the Deployment is at 0, and the router that claimed had its time -> SCALE to 1
      |        the Deployment runs another revision -------------------------> DELETE (it drains)
      |     its ReplicaSet wants pods -----------------------------------------> ADOPT
      +--- else ---------------------------------------------------------------> WAIT
```

Adoption waits for the *ReplicaSet's* own `spec.replicas`: relabelled while that is still 0, the pod would be adopted
only to be deleted (1 of 120, measured).
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct

from wick_api import names

Manifest = Mapping[str, Any]

SPECIALIZE_PATIENCE = 35.0
"""Seconds from the claim to the end of specialization: the router's own limit for it, and some."""
SCALE_PATIENCE = 1.5
"""Seconds the router that claimed has to scale the Deployment itself."""
ADOPT_PATIENCE = 60.0
"""Seconds after which a pod that cannot be adopted goes."""
COLD = "controller.kubernetes.io/pod-deletion-cost"


class Step(StrEnum):
    """See the module."""

    WAIT = "wait"
    SCALE = "scale"
    ADOPT = "adopt"
    DELETE = "delete"


class Facts(Struct, frozen=True, kw_only=True):
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
    replica_sets: Sequence[Manifest] = ()


class Plan(Struct, frozen=True):
    """What to do, and into which ReplicaSet."""

    step: Step
    replica_set: Manifest | None = None


def decide(facts: Facts) -> Plan:
    """The next step for one claimed pod."""
    if not facts.function_exists or facts.state == "failed" or facts.age > ADOPT_PATIENCE:
        return Plan(Step.DELETE)
    if facts.state != "ready":
        return Plan(Step.DELETE if facts.age > SPECIALIZE_PATIENCE else Step.WAIT)
    if facts.replicas is None:
        return Plan(Step.WAIT)
    if facts.replicas == 0:
        return Plan(Step.SCALE if facts.age > SCALE_PATIENCE else Step.WAIT)
    home = next((each for each in facts.replica_sets if _wants(each, facts.revision)), None)
    if home is not None:
        return Plan(Step.ADOPT, home)
    return Plan(Step.WAIT if facts.current == facts.revision else Step.DELETE)


def _wants(replica_set: Manifest, revision: str) -> bool:
    labels = replica_set["spec"]["template"]["metadata"].get("labels", {})
    return bool(labels.get(names.REVISION) == revision and replica_set["spec"].get("replicas", 0) >= 1)


def adopt(pod: Manifest, replica_set: Manifest) -> dict[str, Any]:
    """The merge patch that makes the pod one of the ReplicaSet's, and dearer than the one it has made meanwhile.

    It names the pod's version, because somebody may be deleting it.
    """
    template = replica_set["spec"]["template"]["metadata"]
    return {
        "metadata": {
            "resourceVersion": pod["metadata"]["resourceVersion"],
            "labels": dict(template["labels"]),
            "annotations": {**template.get("annotations", {}), COLD: "100"},
        }
    }
