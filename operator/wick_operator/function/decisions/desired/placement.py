"""Where a function's own pods may run, as far as its author does not say: nowhere while a warm pod stands in for them.

```
   warm pod serves      the function's ReplicaSet        the warm pod is adopted      the label goes
   and is claimed   --> wants a pod, and makes one   --> the ReplicaSet has one   --> pods that are made from
   (with the label)     that no node may take            too many, and drops it       now on may run
```

A ReplicaSet that wants a pod makes one before it can be given the warm one. Were a node to take that, it would start it
and stop it again: half of what a start from the pool used to cost. So the scheduler holds it back, by an anti-affinity
to the label that a claim writes and the adopter takes away. That needs nobody: where the warm pod goes, label and
all, the scheduler lets the function's own pod go at once, whether or not an operator runs.

The topology is the operating system: one value on all nodes that can run the function, so that "not beside the warm
pod" reads "on no node", and no cluster autoscaler thinks that another node would help.
"""

from collections.abc import Mapping
from typing import Any

from wick_api import names, warm
from wick_api.function import FunctionSpec
from wick_api.names import Key
from wick_operator import pool_settings
from wick_operator.config import OperatorConfig

TOPOLOGY = "kubernetes.io/os"


def affinity(key: Key, spec: FunctionSpec, config: OperatorConfig, resources: Mapping[str, Any]) -> dict[str, Any]:
    """Of a function's own pods; empty where no warm pod can stand in for them. `resources` are the container's."""
    if not config.anti_affinity or not starts_warm(spec, config, resources):
        return {}
    term = {"topologyKey": TOPOLOGY, "labelSelector": {"matchLabels": {names.STANDS_IN_FOR: key.name}}}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def starts_warm(spec: FunctionSpec, config: OperatorConfig, resources: Mapping[str, Any]) -> bool:
    """Whether its instances come from the installation's warm pods, as far as the spec tells.

    A namespace may have no pool all the same: its annotation is not part of what a revision is made from.
    """
    pool = pool_settings.installation(config.pools).get(spec.runtime) if config.pool_key else None
    if pool is None or not pool.max or warm.hindered(spec):
        return False
    return warm.unresizable(resources, pool.resources) is warm.Obstacle.NONE
