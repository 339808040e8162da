"""Start a function from zero: in a warm pod where one fits, and always through its Deployment.

```
   activate --> warm pod --serving------------------------> report it, then register and [0 -> 1] off the path
                  |  +-----code does not load-------------> report the failure, register; nothing to scale
                  +--Obstacle--> [0 -> 1] --done, or someone else was first--> over
                                   |  ^
                       no Deployment  |  API server away
                                   v  |
                                  pause (doubling)  --PATIENCE spent--> failed(ClusterError)
```

The write names its condition (replicas are 0), so two routers, or a retry after a lost answer, cannot do harm, and the
router can never take the autoscaler's decision back.
"""

import asyncio
import logging
from typing import Protocol

from wick_api import names
from wick_api.function import Function
from wick_api.names import Key
from wick_api.reason import Reason
from wick_api.warm import FROM_ZERO_TO_ONE, Obstacle
from wick_kube.cluster import Cluster
from wick_kube.error import ApiError, NotFound, Refused, Unreachable
from wick_kube.resource import DEPLOYMENTS
from wick_router.kubernetes.claim import Broken, Claims, Started
from wick_router.kubernetes.failure import Failure

log = logging.getLogger(__name__)

PATIENCE = 20.0
"""Seconds to keep trying while the Deployment does not exist yet or the API server does not answer."""
AFTER = 0.1
"""Seconds that a pod serves before its claim is written. The write wakes the API server, etcd, the scheduler, four
controllers, the kubelet and the operator, which would compete with the function for the node's CPU over its first
answer."""
LONGEST_HOLD = 6.0
"""Seconds that claims wait for starts by Deployment: each claim makes two pods more, a new warm one and the one that
its ReplicaSet drops again, and on a small node those would come up before the pods that requests wait for. It has to
stay below the 8 s in which the operator's audit gives an unclaimed pod up."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0


class Backend(Protocol):
    """What an activation asks of, and tells, its backend."""

    def wanted(self, key: Key) -> Function | None:
        """The function to start, or None where it is gone: nobody waits for it any more."""

    def started(self, key: Key, started: Started) -> None:
        """A warm pod serves it."""

    def fell_back(self, key: Key, obstacle: Obstacle) -> None:
        """No warm pod can serve it; its Deployment will."""

    def cannot_start(self, key: Key, found: Failure) -> None:
        """Waiting is in vain."""

    def lost(self, key: Key, started: Started) -> None:
        """The pod went before the cluster knew whose it was."""


class Activation:
    """At most one start under way for each function; tasks are owned here and ended by `close`."""

    def __init__(self, cluster: Cluster, backend: Backend, claims: Claims | None) -> None:
        self._cluster = cluster
        self._backend = backend
        self._claims = claims
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._registrations: set[asyncio.Task[None]] = set()
        self._awaited: set[Key] = set()
        """Functions that requests wait for while their Deployment starts a pod."""
        self._calm = asyncio.Event()
        self._calm.set()

    def start(self, key: Key) -> None:
        """Begin, unless a start of this function is under way."""
        if key not in self._tasks:
            task = asyncio.create_task(self._run(key), name=f"activate {key}")
            self._tasks[key] = task
            task.add_done_callback(lambda _: self._tasks.pop(key, None))

    def serves(self, key: Key) -> None:
        """The function has an instance, or is gone, or had its time: claims need not wait for its Deployment."""
        self._awaited.discard(key)
        if not self._awaited:
            self._calm.set()

    async def close(self) -> None:
        """End every start under way."""
        tasks = [*self._tasks.values(), *self._registrations]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, key: Key) -> None:
        outcome = await self._warm(key)
        match outcome:
            case Started():
                self._backend.started(key, outcome)
                self._afterwards(key, outcome)
            case Broken():
                self._backend.cannot_start(key, outcome.failure)
                self._afterwards(key, outcome)
            case Failure():
                self._backend.cannot_start(key, outcome)
            case _:
                self._backend.fell_back(key, outcome)
                log.info("%s starts by its Deployment, not from the warm pool: %s", key, outcome)
                self._await(key)
                await self._scale(key)

    def _await(self, key: Key) -> None:
        self._awaited.add(key)
        self._calm.clear()
        asyncio.get_running_loop().call_later(LONGEST_HOLD, self.serves, key)

    def _afterwards(self, key: Key, taken: Started | Broken) -> None:
        """What no request waits for, and the function's next start need not wait for either."""
        task = asyncio.create_task(self._register(key, taken), name=f"register {key}")
        self._registrations.add(task)
        task.add_done_callback(self._registrations.discard)

    async def _register(self, key: Key, taken: Started | Broken) -> None:
        await asyncio.sleep(AFTER)
        try:
            async with asyncio.timeout(LONGEST_HOLD):
                await self._calm.wait()
        except TimeoutError:
            log.debug("%s: starts by Deployment go on; its claim is written beside them", key)
        registered = self._claims is not None and await self._claims.register(taken)
        if isinstance(taken, Broken):
            return
        if not registered:
            self._backend.lost(key, taken)
        else:
            await self._scale(key)

    async def _warm(self, key: Key) -> Started | Broken | Failure | Obstacle:
        function = self._backend.wanted(key)
        if self._claims is None or function is None:
            return Obstacle.DISABLED
        return await self._claims.start(function)

    async def _scale(self, key: Key) -> None:
        said = "no answer"
        pause = FIRST_PAUSE
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    try:
                        return await self._write(key)
                    except NotFound:
                        if self._backend.wanted(key) is None:
                            return None  # deleted meanwhile, and its Deployment with it
                        said = f"Deployment {key.name} does not exist yet; is the operator running?"
                    except (ApiError, Unreachable) as error:
                        said = f"the API server refuses to scale Deployment {key.name}: {error}"
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
        except TimeoutError:
            self._backend.cannot_start(key, Failure(Reason.CLUSTER_ERROR, f"The function cannot be started: {said}"))

    async def _write(self, key: Key) -> None:
        try:
            await self._cluster.patch(
                DEPLOYMENTS,
                key.namespace,
                names.deployment(key),
                FROM_ZERO_TO_ONE,
                field_manager=names.ROUTER,
                subresource="scale",
            )
        except Refused as refused:
            if refused.status != 422:  # noqa: PLR2004 - 422: the test failed, so it is not at zero any more
                raise
