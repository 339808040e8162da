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
from wick_kube.error import ApiError, ApiNotFound, ApiRefused, ApiUnreachable
from wick_kube.resource import DEPLOYMENTS
from wick_router.kubernetes.claim_writer import ClaimWriter
from wick_router.kubernetes.decisions.failure import HopelessWait
from wick_router.kubernetes.decisions.outcome import CodeBroken, WarmStarted
from wick_router.kubernetes.warm_start import WarmStarts

log = logging.getLogger(__name__)

PATIENCE = 20.0
"""Seconds to keep trying while the Deployment does not exist yet or the API server does not answer."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
TELL_AFTER = 1.0
"""Seconds after which requests that time out meanwhile are told what the start waits for."""


class ActivationBackend(Protocol):
    """What an activation asks of, and tells, its backend."""

    def wanted(self, key: Key) -> Function | None:
        """The function to start, or None where it is gone: nobody waits for it any more."""

    def started(self, key: Key, started: WarmStarted) -> None:
        """A warm pod serves it."""

    def fell_back(self, key: Key, obstacle: Obstacle) -> None:
        """No warm pod can serve it; its Deployment will."""

    def delayed(self, key: Key, cause: str) -> None:
        """Its start takes long, and this is what it waits for."""

    def cannot_start(self, key: Key, found: HopelessWait) -> None:
        """Waiting is in vain."""

    def lost(self, key: Key, started: WarmStarted) -> None:
        """The pod went before the cluster knew whose it was."""

    def fault(self, border: str, key: Key, error: Exception) -> str:
        """A defect that this function brought out; the sentence that tells of it."""


class Activation:
    """At most one start under way for each function; tasks are owned here and ended by `close`."""

    def __init__(self, cluster: Cluster, backend: ActivationBackend, claims: WarmStarts | None) -> None:
        self._cluster = cluster
        self._backend = backend
        self._claims = claims
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._registrations = ClaimWriter(claims, self._scale, backend.lost, backend.fault) if claims else None

    def start(self, key: Key) -> None:
        """Begin, unless a start of this function is under way."""
        if key not in self._tasks:
            task = asyncio.create_task(self._run(key), name=f"activate {key}")
            self._tasks[key] = task
            task.add_done_callback(lambda _: self._tasks.pop(key, None))

    def awaits(self, key: Key) -> None:
        """The function starts, and not in milliseconds, here or by another router."""
        if self._registrations is not None:
            self._registrations.awaits(key)

    def serves(self, key: Key) -> None:
        """The function has an instance, or is gone."""
        if self._registrations is not None:
            self._registrations.serves(key)

    async def close(self) -> None:
        """End every start under way; the claims of those that ended are written."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._registrations is not None:
            await self._registrations.close()

    async def _run(self, key: Key) -> None:
        try:
            await self._start(key)
        except Exception as error:  # noqa: BLE001 - a border: those who wait for this function are told at once
            told = self._backend.fault("start from zero", key, error)
            self.serves(key)
            self._backend.cannot_start(key, HopelessWait(Reason.INTERNAL_ERROR, told))

    async def _start(self, key: Key) -> None:
        log.debug("start from zero", extra={"function": str(key)})
        outcome = await self._warm(key)
        self.serves(key)
        match outcome:
            case WarmStarted():
                self._backend.started(key, outcome)
                self._owe(key, outcome)
            case CodeBroken():
                self._backend.cannot_start(key, outcome.failure)
                self._owe(key, outcome)
            case HopelessWait():
                self._backend.cannot_start(key, outcome)
            case _:
                self._backend.fell_back(key, outcome)
                log.info("starts by its Deployment, not from the warm pool: %s", outcome, extra={"function": str(key)})
                self.awaits(key)
                await self._scale(key)

    def _owe(self, key: Key, taken: WarmStarted | CodeBroken) -> None:
        if self._registrations is not None:
            self._registrations.add(key, taken)

    async def _warm(self, key: Key) -> WarmStarted | CodeBroken | HopelessWait | Obstacle:
        function = self._backend.wanted(key)
        if self._claims is None or function is None:
            return Obstacle.DISABLED
        return await self._claims.start(function, lambda: self.awaits(key))

    async def _scale(self, key: Key) -> None:
        said = f"the API server does not answer the request to scale Deployment {key.name}"
        pause = FIRST_PAUSE
        warning = asyncio.get_running_loop().call_later(TELL_AFTER, lambda: self._backend.delayed(key, said))
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    try:
                        return await self._write(key)
                    except ApiNotFound:
                        if self._backend.wanted(key) is None:
                            return None  # deleted meanwhile, and its Deployment with it
                        said = f"Deployment {key.name} does not exist yet; is the operator running?"
                    except ApiUnreachable as error:
                        said = f"the API server does not answer the request to scale Deployment {key.name}: {error}"
                    except ApiError as error:
                        said = f"the API server refuses to scale Deployment {key.name}: {error}"
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
        except TimeoutError:
            self._backend.cannot_start(
                key, HopelessWait(Reason.CLUSTER_ERROR, f"The function cannot be started: {said}")
            )
        finally:
            warning.cancel()

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
        except ApiRefused as refused:
            if refused.status != 422:  # noqa: PLR2004 - 422: the test failed, so it is not at zero any more
                raise
