"""What tells more about an instance than its manifest: Events, the last log line, the runtime's own word.

Fetched only for instances that don't serve, a few of each function, and not again while the pod has not changed and
the answer is young.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from wick_api import diagnosis, names
from wick_api.diagnosis import Evidence, Trouble
from wick_kube.cluster import Cluster
from wick_kube.error import ApiError, Unreachable
from wick_kube.resource import CORE_EVENTS
from wick_operator.seen import Pod

_AT_MOST = 3  # instances of one function that are looked into: more would say the same
_YOUNG = 2.0  # seconds for which an answer holds
_PATIENCE = 2.0  # seconds a control port may take
_MOST_BYTES = 65536


class _Answer(Struct, frozen=True):
    version: str
    time: float
    trouble: Trouble | None


class Inspector:
    """Finds out why instances don't serve; `clock` is monotonic seconds."""

    def __init__(self, cluster: Cluster, session: aiohttp.ClientSession, clock: Callable[[], float]) -> None:
        self._cluster, self._session, self._clock = cluster, session, clock
        self._answers: dict[str, _Answer] = {}

    async def troubles(self, pods: Sequence[Pod]) -> list[Trouble]:
        """Why those of these instances that don't serve do not, as far as can be told."""
        unready = [pod for pod in pods if not pod.ready][:_AT_MOST]
        found = await asyncio.gather(*(self._trouble(pod) for pod in unready))
        self._forget_old()
        return [trouble for trouble in found if trouble]

    async def _trouble(self, pod: Pod) -> Trouble | None:
        known = self._answers.get(pod.uid)
        if known and known.version == pod.version and self._clock() - known.time < _YOUNG:
            return known.trouble
        manifest = pod.manifest()
        trouble = diagnosis.of_pod(manifest, await self._evidence(pod, manifest))
        self._answers[pod.uid] = _Answer(pod.version, self._clock(), trouble)
        return trouble

    async def _evidence(self, pod: Pod, manifest: dict[str, Any]) -> Evidence:
        needs = diagnosis.needs(manifest)
        return Evidence(
            events=await self._events(pod) if needs.events else (),
            last_log=await self._last_log(pod) if needs.last_log else "",
            readyz=await self._readyz(manifest) if needs.readyz else {},
        )

    async def _events(self, pod: Pod) -> list[dict[str, Any]]:
        try:
            return await self._cluster.list(CORE_EVENTS, pod.key.namespace, fields=f"involvedObject.uid={pod.uid}")
        except (ApiError, Unreachable):
            return []  # the diagnosis does without

    async def _last_log(self, pod: Pod) -> str:
        for previous in (True, False):
            try:
                text = await self._cluster.logs(
                    pod.key.namespace, pod.name, container=names.CONTAINER, previous=previous, lines=5
                )
            except Unreachable:
                return ""
            lines = [line for line in (text or "").splitlines() if line.strip()]
            if lines:
                return lines[-1]
        return ""

    async def _readyz(self, manifest: dict[str, Any]) -> dict[str, Any]:
        url = diagnosis.control_url(manifest, "/readyz")
        if not url:
            return {}
        try:
            async with self._session.get(url, timeout=aiohttp.ClientTimeout(total=_PATIENCE)) as response:
                return msgspec.json.decode(await response.content.read(_MOST_BYTES), type=dict[str, Any])
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError):
            return {}  # not listening yet, or not ours to reach

    def _forget_old(self) -> None:
        cut = self._clock() - _YOUNG
        self._answers = {uid: answer for uid, answer in self._answers.items() if answer.time >= cut}
