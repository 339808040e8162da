"""Finds warm pods that took a function without a claim being written: the router that gave it died in between.

Such a pod still carries its pool's label, so nobody adopts it, and every router it is offered to is refused. Each pod
is asked what it is every `EVERY` seconds, and one that says `LOOKS` times in a row that it does not wait any more is
deleted: a living router writes its claim within milliseconds of the pod's answer, or six seconds in a burst. A pod that
loads its code gets the time the router gives it.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import aiohttp
from msgspec import Struct

from wick_kube import evidence
from wick_kube.error import ApiError, ApiUnreachable
from wick_kube.resource import PODS
from wick_operator.leader.fenced_writer import FencedWriter

log = logging.getLogger(__name__)

Manifest = Mapping[str, Any]

EVERY = 4.0
"""Seconds between two looks at one pod."""
LOOKS, LOADING_LOOKS = 3, 9
"""Looks in a row at a pod that took a function before it is deleted: after 8 s, or 32 s while it loads the code."""
AT_ONCE = 20
"""Pods looked at in one tick, which bounds what many pools cost; with more than 80 pods each waits longer."""

_WAITING = frozenset({"pool", ""})
"""What a warm pod says of itself; no answer at all is the kubelet's business."""


class AuditedPod(Struct):
    """A warm pod under audit."""

    manifest: Manifest
    due: float
    suspicions: int = 0
    """Looks in a row at which it did not wait."""


class PoolAudit:
    """See the module."""

    def __init__(self, fence: FencedWriter, session: aiohttp.ClientSession) -> None:
        self._fence, self._session = fence, session
        self._pods: dict[str, AuditedPod] = {}

    def seen(self, pod: Manifest, now: float) -> None:
        """A pool's pod is there, or has changed."""
        uid = pod["metadata"]["uid"]
        known = self._pods.get(uid)
        if known is None:
            self._pods[uid] = AuditedPod(pod, now + EVERY)
        else:
            known.manifest = pod

    def gone(self, uid: str) -> None:
        """It was claimed, or is no more."""
        self._pods.pop(uid, None)

    async def look(self, now: float) -> None:
        """Ask those whose turn it is, the longest waiting first."""
        due = sorted((pod for pod in self._pods.values() if pod.due <= now), key=lambda pod: pod.due)[:AT_ONCE]
        await asyncio.gather(*(self._ask(pod, now) for pod in due))

    async def _ask(self, pod: AuditedPod, now: float) -> None:
        pod.due = now + EVERY
        report = await evidence.readyz(self._session, pod.manifest)
        metadata = pod.manifest["metadata"]
        state = report.get("state", "")
        waits = state in _WAITING or metadata["uid"] not in self._pods
        pod.suspicions = 0 if waits else pod.suspicions + 1
        if pod.suspicions >= (LOADING_LOOKS if state == "loading" else LOOKS):
            await self._delete(metadata)

    async def _delete(self, metadata: Manifest) -> None:
        namespace, name = metadata["namespace"], metadata["name"]
        log.warning("%s/%s took a function, and no claim was written: its router died; deleting it", namespace, name)
        try:
            await self._fence.delete(PODS, namespace, name, uid=metadata["uid"])
        except (ApiError, ApiUnreachable, TimeoutError) as error:
            log.warning("%s/%s: %s", namespace, name, error)
