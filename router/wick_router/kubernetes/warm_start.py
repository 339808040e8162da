"""Start a function in a warm pod: one call to the pod on the request's path, one write to the API server after it.

```
   revision known? -> a free pod that fits? -> POST /specialize --409--> next pod, at most `TRIES`
        |                   |                    | 200: serving        | 422: the code does not load
        v                   v                    v                     v
     Obstacle            Obstacle             Started                Broken (file and line)
   (the Deployment path is taken)                +----- register ------+
                                                 PATCH (claim) until it is known whether it was written
```

The pod takes one function and refuses every other, so it decides between two routers, without the API server. Those
that start the same revision at once choose the same pod, and each is answered when it serves: one instance, which both
use and both claim. The claim carries everything the operator needs to adopt or remove the pod; a pod whose router died
before writing it is found by the operator's audit.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from wick_api import names, warm
from wick_api.environment import Unresolvable
from wick_api.function import Function
from wick_api.reason import Reason
from wick_api.revision import Revision
from wick_api.warm import Obstacle
from wick_kube import specialization
from wick_kube.cluster import Cluster
from wick_kube.error import ApiConflict, ApiError, ApiNotFound, ApiUnreachable
from wick_kube.resource import PODS
from wick_kube.specialization import OrderFailed, OrderLoaded, OrderRefused
from wick_router.kubernetes.decisions.failure import HopelessWait
from wick_router.kubernetes.decisions.outcome import CodeBroken, WarmStarted
from wick_router.kubernetes.revisions import Revisions
from wick_router.kubernetes.warm_pods import WarmPods

log = logging.getLogger(__name__)

Manifest = Mapping[str, Any]

TRIES = 20
"""Pods tried when others take them first: a refusal takes milliseconds, and the Deployment a second and more. With 5,
one start in thirty found none in bursts of ten over two routers and ten warm pods."""
AT_ONCE = 32
"""Starts under way in this router; more wait their turn."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
"""Seconds between tries to write a claim: doubled each time."""


class WarmStarts:
    """See the module; `key` is the installation's secret from which tokens are derived."""

    def __init__(self, cluster: Cluster, pods: WarmPods, key: str) -> None:
        self._cluster = cluster
        self._pods = pods
        self._key = key
        self._revisions = Revisions(cluster)
        self._permits = asyncio.Semaphore(AT_ONCE)

    async def start(
        self, function: Function, waking: Callable[[], None] = lambda: None
    ) -> WarmStarted | CodeBroken | HopelessWait | Obstacle:
        """Start the function's present revision in a warm pod, or say why not; `waking` is told of a dormant one."""
        revision_name = function.status.get("revision")
        if not revision_name:
            return Obstacle.UNKNOWN
        if (sample := self._pods.any(_pool(function))) is None:
            return Obstacle.EMPTY
        async with self._permits:
            try:
                revision = await self._revisions.get(function.key, revision_name)
                hindered = warm.obstacle(revision.template, sample)
                return hindered or await self._become(function, revision, waking)
            except (ApiError, ApiUnreachable, KeyError, ValueError):
                return Obstacle.UNKNOWN

    async def prefetch(self, function: Function) -> None:
        """Have a new revision at hand before it is asked for."""
        try:
            await self._revisions.get(function.key, function.status["revision"])
        except (ApiError, ApiUnreachable, KeyError, ValueError):
            return  # it will be read, or fail, when it is needed

    async def register(self, taken: WarmStarted | CodeBroken) -> bool:
        """Write the claim of a pod this router gave its function; False where the pod went first.

        Safe to repeat, since each try after the first reads the pod and names the version it read. It ends with the
        answer, however long the API server is away: until then the pod serves, and nobody else can take it.
        """
        metadata = taken.pod["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        change = taken.claim
        pause = FIRST_PAUSE
        while True:
            try:
                await self._cluster.patch(PODS, namespace, name, change, field_manager=names.ROUTER)
            except ApiNotFound:
                return False
            except (ApiError, ApiUnreachable) as error:
                if not isinstance(error, ApiConflict):
                    log.warning("%s/%s is not claimed yet: %s", namespace, name, error)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
            else:
                return True
            present = await self._present(namespace, name)
            if present is None or present["metadata"]["uid"] != metadata["uid"]:
                return False
            if names.POOL not in present["metadata"]["labels"]:
                return True  # written, though the answer was lost
            change = {"metadata": {**change["metadata"], "resourceVersion": present["metadata"]["resourceVersion"]}}

    async def _present(self, namespace: str, name: str) -> Manifest | None:
        pause = FIRST_PAUSE
        while True:
            try:
                return await self._cluster.find(PODS, namespace, name)
            except (ApiError, ApiUnreachable):
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _become(
        self, function: Function, revision: Revision, waking: Callable[[], None]
    ) -> WarmStarted | CodeBroken | HopelessWait | Obstacle:
        config_maps = await specialization.config_maps(self._cluster, function.key.namespace, revision)
        for _ in range(TRIES):
            pod = self._pods.take(_pool(function), function.key)
            if pod is None:
                return Obstacle.EMPTY
            if warm.is_dormant(pod):
                waking()
            claim = warm.claim(pod, function, revision)
            try:
                body = warm.order(function, revision, warm.claimed(pod, claim), config_maps)
            except Unresolvable as missing:
                self._pods.put_back(pod)
                return HopelessWait(missing.reason, str(missing))
            metadata = pod["metadata"]
            about = {"function": str(function.key), "revision": revision.name}
            log.debug("order to warm pod %s", metadata["name"], extra=about)
            outcome = await self._specialize(warm.claimed(pod, claim), claim, body, _pool(function))
            log.debug("warm pod %s: %s", metadata["name"], _told(outcome), extra=about)
            if outcome is not Obstacle.CONFLICT:
                return outcome
        return Obstacle.CONFLICT

    async def _specialize(
        self, pod: Manifest, claim: dict[str, Any], body: dict[str, Any], pool: tuple[str, str]
    ) -> WarmStarted | CodeBroken | Obstacle:
        match await specialization.specialize(pod, body, warm.token(self._key, *pool)):
            case OrderLoaded(phases):
                return WarmStarted(pod, phases, claim)
            case OrderFailed(message):
                return CodeBroken(pod, HopelessWait(Reason.LOAD_FAILED, message), warm.useless(claim))
            case OrderRefused(taken):
                return Obstacle.CONFLICT if taken else Obstacle.REFUSED


def _told(outcome: WarmStarted | CodeBroken | Obstacle) -> str:
    match outcome:
        case WarmStarted(phases=phases):
            return "loaded" + "".join(f", {name} {spent:.1f} ms" for name, spent in phases)
        case CodeBroken(failure=failure):
            return f"failed: {failure}"
        case _:
            return str(outcome)


def _pool(function: Function) -> tuple[str, str]:
    return function.key.namespace, function.spec.runtime
