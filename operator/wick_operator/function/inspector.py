"""Why instances don't serve: what their manifests say and what `wick_kube.evidence` finds out about them.

It is asked only for instances that don't serve, a few of each function, and not again while the pod has not changed and
the answer is young.
"""

import asyncio
from collections.abc import Callable, Sequence

import aiohttp
from msgspec import Struct

from wick_api import diagnosis
from wick_api.diagnosis import Trouble
from wick_kube import evidence
from wick_kube.cluster import Cluster
from wick_operator.observed.snapshot import PodSnapshot

_AT_MOST = 3  # instances of one function that are looked into: more would say the same
_YOUNG = 2.0  # seconds for which an answer holds


class _Answer(Struct, frozen=True):
    version: str
    time: float
    trouble: Trouble | None


class Inspector:
    """Finds out why instances don't serve; `clock` is monotonic seconds."""

    def __init__(self, cluster: Cluster, session: aiohttp.ClientSession, clock: Callable[[], float]) -> None:
        self._cluster, self._session, self._clock = cluster, session, clock
        self._answers: dict[str, _Answer] = {}

    async def troubles(self, pods: Sequence[PodSnapshot]) -> list[Trouble]:
        """Why those of these instances that don't serve do not, as far as can be told."""
        unready = [pod for pod in pods if not pod.ready][:_AT_MOST]
        found = await asyncio.gather(*(self._trouble(pod) for pod in unready))
        self._forget_old()
        return [trouble for trouble in found if trouble]

    async def _trouble(self, pod: PodSnapshot) -> Trouble | None:
        known = self._answers.get(pod.uid)
        if known and known.version == pod.version and self._clock() - known.time < _YOUNG:
            return known.trouble
        manifest = pod.manifest()
        found = await evidence.gather(self._cluster, self._session, manifest, diagnosis.needs(manifest))
        trouble = diagnosis.of_pod(manifest, found)
        self._answers[pod.uid] = _Answer(pod.version, self._clock(), trouble)
        return trouble

    def _forget_old(self) -> None:
        cut = self._clock() - _YOUNG
        self._answers = {uid: answer for uid, answer in self._answers.items() if answer.time >= cut}
