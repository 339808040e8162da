"""Start a function in a warm pod: one write to the API server, one call to the pod.

```
   revision known? -> a free pod that fits? -> PATCH (claim) --409, 404--> next pod, at most `TRIES`
        |                   |                     | done
        v                   v                     v
     Obstacle            Obstacle           POST /specialize --200--> serving
   (the Deployment path is taken)                 |--422--> the code does not load: refuse with file and line
                                                  +--else-> Obstacle.REFUSED
```

The claimed pod carries everything the operator needs to finish or remove it, should this router die at any point.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from wick_api import names, warm
from wick_api.environment import Unresolvable, needed
from wick_api.function import Function
from wick_api.reason import Reason
from wick_api.revision import Revision
from wick_api.warm import Obstacle
from wick_kube.cluster import Cluster
from wick_kube.error import ApiError, Conflict, NotFound, Unreachable
from wick_kube.resource import CONFIG_MAPS, PODS
from wick_router.kubernetes.failure import Failure
from wick_router.kubernetes.revisions import Revisions
from wick_router.kubernetes.warm import WarmPods

Manifest = Mapping[str, Any]

TRIES = 5
"""Pods tried when others claim them first."""
AT_ONCE = 32
"""Claims under way in this router; more wait their turn."""
LOAD_SECONDS = 30.0
"""The longest a function's code may take to load in a warm pod."""

Phases = tuple[tuple[str, float], ...]


class Started(Struct, frozen=True):
    """The function serves in this pod."""

    pod: Manifest
    phases: Phases


class _Report(Struct):
    """What the runtime answers to ``POST /specialize``, well or not."""

    state: str = ""
    reason: str = ""
    message: str = ""
    file: str = ""
    line: int = 0
    phases: dict[str, float] = msgspec.field(default_factory=dict)


class Claims:
    """See the module; `key` is the installation's secret from which tokens are derived."""

    def __init__(self, cluster: Cluster, pods: WarmPods, session: aiohttp.ClientSession, key: str) -> None:
        self._cluster = cluster
        self._pods = pods
        self._session = session
        self._key = key
        self._revisions = Revisions(cluster)
        self._permits = asyncio.Semaphore(AT_ONCE)

    async def start(self, function: Function) -> Started | Failure | Obstacle:
        """Start the function's present revision in a warm pod, or say why not."""
        revision_name = function.status.get("revision")
        if not revision_name:
            return Obstacle.UNKNOWN
        if (sample := self._pods.any(_pool(function))) is None:
            return Obstacle.EMPTY
        async with self._permits:
            try:
                revision = await self._revisions.get(function.key, revision_name)
                hindered = warm.obstacle(revision.template, sample)
                return hindered or await self._claim(function, revision)
            except (ApiError, Unreachable, KeyError, ValueError):
                return Obstacle.UNKNOWN

    async def prefetch(self, function: Function) -> None:
        """Have a new revision at hand before it is asked for."""
        try:
            await self._revisions.get(function.key, function.status["revision"])
        except (ApiError, Unreachable, KeyError, ValueError):
            return  # it will be read, or fail, when it is needed

    async def _claim(self, function: Function, revision: Revision) -> Started | Failure | Obstacle:
        config_maps = await self._config_maps(function, revision)
        began = time.monotonic()
        for _ in range(TRIES):
            pod = self._pods.take(_pool(function))
            if pod is None:
                return Obstacle.EMPTY
            try:
                claimed = await self._cluster.patch(
                    PODS,
                    function.key.namespace,
                    pod["metadata"]["name"],
                    warm.claim(pod, function, revision),
                    field_manager=names.ROUTER,
                )
            except (Conflict, NotFound):
                continue  # somebody else's now; the watch will say so
            except (ApiError, Unreachable):
                self._pods.put_back(pod)
                raise
            return await self._specialize(function, revision, claimed, config_maps, began)
        return Obstacle.CONFLICT

    async def _config_maps(self, function: Function, revision: Revision) -> dict[str, Any]:
        container = revision.template["spec"]["containers"][0]
        names_needed = sorted(name for _, name in needed(container))
        found = await asyncio.gather(
            *(self._cluster.find(CONFIG_MAPS, function.key.namespace, name) for name in names_needed)
        )
        return {name: each.get("data") or {} for name, each in zip(names_needed, found, strict=True) if each}

    async def _specialize(
        self, function: Function, revision: Revision, pod: Manifest, config_maps: Mapping[str, Any], began: float
    ) -> Started | Failure | Obstacle:
        claimed = time.monotonic()
        try:
            body = warm.order(function, revision, pod, config_maps)
        except Unresolvable as missing:
            return Failure(missing.reason, str(missing))
        answer = await self._post(pod, body, warm.token(self._key, *_pool(function)))
        if answer is None:
            return Obstacle.REFUSED
        status, report = answer
        if status == 200:  # noqa: PLR2004 - loaded
            took = (time.monotonic() - claimed) * 1000
            steps = tuple(report.phases.items())
            transfer = took - sum(duration for _, duration in steps)
            return Started(pod, (("claim", (claimed - began) * 1000), ("transfer", max(0.0, transfer)), *steps))
        if report.state == "failed":
            place = f"{report.file}:{report.line}: " if report.file else ""
            return Failure(Reason.LOAD_FAILED, f"The code cannot be loaded: {place}{report.message}")
        return Obstacle.REFUSED

    async def _post(self, pod: Manifest, body: dict[str, Any], token: str) -> tuple[int, _Report] | None:
        address = pod["status"]["podIP"]
        host = f"[{address}]" if ":" in address else address
        try:
            async with self._session.post(
                f"http://{host}:{names.CONTROL_PORT}/specialize",
                data=msgspec.json.encode(body),
                headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
                timeout=aiohttp.ClientTimeout(total=LOAD_SECONDS, sock_connect=1),
            ) as response:
                return response.status, msgspec.json.decode(await response.read(), type=_Report)
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError, msgspec.ValidationError):
            return None


def _pool(function: Function) -> tuple[str, str]:
    return function.key.namespace, function.spec.runtime
