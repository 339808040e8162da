"""Gives a function's new revision to a warm pod, so that it serves before the Deployment has started one of its own.

```
   rollout is behind --a free pod that fits?--no--> the Deployment rolls alone
      |  POST /specialize
      +--200--> resize, claim and adopt (one PATCH) -> the ReplicaSet has a ready pod, and the old ones go
      |           (its controller has not seen yet that it wants one: claim, and the adopter adopts it)
      +--422--> claim it: the status says why, and the adopter deletes it; the old revision goes on serving
      +--409--> a router was first: the next pod, at most `TRIES`
```

Only the leading operator does this, so there is one actor for each rollout. No request meets the new code before the
pod has loaded it and its ReplicaSet owns it; from then on routers see it as any ready pod.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wick_api import names, warm
from wick_api.environment import Unresolvable
from wick_api.fault import Faults
from wick_api.function import Function
from wick_api.names import Key
from wick_api.revision import Revision, unpack
from wick_api.warm import Obstacle
from wick_kube import specialization
from wick_kube.cluster import Cluster
from wick_kube.error import ApiError, ApiUnreachable
from wick_kube.resource import CONFIG_MAPS, PODS
from wick_kube.specialization import OrderFailed, OrderLoaded, OrderRefused
from wick_operator import metrics
from wick_operator.leader.fenced_writer import FencedWriter
from wick_operator.pool.decisions.adoption import TargetReplicaSet, adopt, claim_and_adopt
from wick_operator.pool.decisions.rollout import Remembered, behind
from wick_operator.pool.resize import resize

log = logging.getLogger(__name__)

Manifest = Mapping[str, Any]

TRIES = 5
"""Pods tried when routers take them first."""
AT_ONCE = 4
"""Updates under way; more wait their turn, and their Deployments need not."""
MOST_WAITING = 1000
"""Rollouts that wait; of more, the Deployments do without."""


class Updates:
    """See the module; `function` is the operator's view, `key` the installation's secret for tokens."""

    def __init__(
        self,
        cluster: Cluster,
        fence: FencedWriter,
        function: Callable[[Key], Function | None],
        key: str,
        faults: Faults | None = None,
    ) -> None:
        self._faults = faults or Faults()
        self._cluster, self._fence = cluster, fence
        self._function, self._key = function, key
        self._waiting: asyncio.Queue[TargetReplicaSet] = asyncio.Queue(MOST_WAITING)
        self._remembered = Remembered()
        self._latest: dict[Key, TargetReplicaSet] = {}
        """The ReplicaSet that each rollout waits for, as last seen; for as long as it does."""

    def consider(self, key: Key, homes: Sequence[TargetReplicaSet]) -> None:
        """Something about a function's ReplicaSets changed; `homes` are those that want pods."""
        home = behind(homes)
        if home is None:
            self._latest.pop(key, None)
            return
        self._latest[key] = home
        if not self._waiting.full() and self._remembered.first_time(home):
            self._waiting.put_nowait(home)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            home = await self._waiting.get()
            try:
                outcome = await self._hasten(home)
            except (ApiError, ApiUnreachable, TimeoutError, Unresolvable, KeyError, ValueError) as error:
                log.warning("%s: %s is left to its Deployment: %s", home.key, home.revision, error)
            except Exception as error:  # noqa: BLE001 - a border: the next update does not wait for this one's defect
                self._faults.caught("update from the warm pool", home.key, error)
            else:
                self._faults.passed("update from the warm pool", home.key)
                log.info("%s: %s %s", home.key, home.revision, outcome or "serves from the warm pool")

    async def _hasten(self, home: TargetReplicaSet) -> str:
        """What became of it, in a word for the log; empty when it serves."""
        function = self._function(home.key)
        if function is None or warm.hindered(function.spec):
            return "is left to its Deployment"
        free = await self._free(function)
        if not free:
            return Obstacle.EMPTY
        revision = unpack(
            await self._cluster.get(CONFIG_MAPS, home.key.namespace, names.source(home.key, home.revision))
        )
        config_maps = await specialization.config_maps(self._cluster, home.key.namespace, revision)
        outcome: str = Obstacle.SHAPE
        for pod in [pod for pod in free if not warm.obstacle(revision.template, pod)][:TRIES]:
            outcome = await self._give(pod, function, revision, config_maps, home)
            if outcome != Obstacle.CONFLICT:
                break
        return outcome

    async def _free(self, function: Function) -> list[dict[str, Any]]:
        pods = await self._cluster.list(PODS, function.key.namespace, labels=f"{names.POOL}={function.spec.runtime}")
        return sorted(filter(warm.is_free, pods), key=warm.is_dormant)

    async def _give(
        self,
        pod: Manifest,
        function: Function,
        revision: Revision,
        config_maps: Mapping[str, Any],
        home: TargetReplicaSet,
    ) -> str:
        claim = warm.claim(pod, function, revision)
        order = warm.order(function, revision, warm.claimed(pod, claim), config_maps)
        token = warm.token(self._key, function.key.namespace, function.spec.runtime)
        metadata = pod["metadata"]
        match await specialization.specialize(pod, order, token):
            case OrderLoaded():
                await self._register(pod, claim, home)
                metrics.UPDATES.inc()
                return Obstacle.NONE
            case OrderFailed(message):
                del claim["metadata"]["resourceVersion"]  # as in `_register`
                await self._fence.patch(PODS, metadata["namespace"], metadata["name"], warm.useless(claim))
                return message
            case OrderRefused(taken):
                return Obstacle.CONFLICT if taken else Obstacle.REFUSED

    async def _register(self, pod: Manifest, claim: dict[str, Any], home: TargetReplicaSet) -> None:
        """One write, where it can be: two would wait for the refill that the first one begins."""
        metadata = pod["metadata"]
        await resize(self._fence, pod, home.resources)
        wanted = self._wants(home)
        # Nobody else can have it any more, and the kubelet may have written its status: whatever the version.
        del claim["metadata"]["resourceVersion"]
        change = claim_and_adopt(claim, adopt(pod, home)) if wanted else claim
        await self._fence.patch(PODS, metadata["namespace"], metadata["name"], change)
        metrics.ADOPTIONS.inc(wanted)

    def _wants(self, home: TargetReplicaSet) -> bool:
        """Whether the ReplicaSet still waits for a pod, and its controller knows that it does."""
        latest = self._latest.get(home.key)
        return latest is not None and latest.owner == home.owner and latest.observed
