"""Ask about pods that do not get well: when, how often, and how many at once.

A pod that is merely starting is not asked about for `PATIENCE`, so a normal cold start costs the API server nothing
extra; one that has crashed is asked at once, because its last words are what the waiting caller needs. Each pod is
asked again with growing pauses while it stays unwell, and at once when it has changed.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
from msgspec import Struct

from wick_api import diagnosis
from wick_api.diagnosis import Evidence
from wick_kube import evidence
from wick_kube.cluster import Cluster

Manifest = Mapping[str, Any]

PATIENCE = 1.0
"""Seconds before a pod that has not crashed is first asked about."""
LONGEST_PAUSE = 15.0
AT_ONCE = 8
"""A burst of broken pods must not become a burst of API calls."""


class InquirySchedule(Struct, frozen=True):
    """When to ask about a pod; pure."""

    version: str
    """Of the pod, when this was planned."""
    due: float
    pause: float = PATIENCE


def plan(pod: Manifest, before: InquirySchedule | None, now: float) -> InquirySchedule | None:
    """When to ask about this pod next; None for one that is well."""
    needs = diagnosis.needs(pod)
    if not (needs.events or needs.last_log or needs.readyz):
        return None
    version = pod["metadata"].get("resourceVersion", "")
    if before is None:
        return InquirySchedule(version, now if needs.last_log else now + PATIENCE)
    if before.version != version:
        return InquirySchedule(version, min(now, before.due) if needs.last_log else min(now + PATIENCE, before.due))
    return before


def after(asked: InquirySchedule, now: float) -> InquirySchedule:
    """The next time, after having asked."""
    return InquirySchedule(asked.version, now + asked.pause, min(2 * asked.pause, LONGEST_PAUSE))


class Inquiries:
    """At most one inquiry under way for each pod; tasks are owned here and ended by `close`."""

    def __init__(
        self, cluster: Cluster, session: aiohttp.ClientSession, found: Callable[[str, Evidence], None]
    ) -> None:
        self._cluster = cluster
        self._session = session
        self._found = found
        self._permits = asyncio.Semaphore(AT_ONCE)
        self._schedules: dict[str, InquirySchedule] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def consider(self, pod: Manifest, now: float) -> bool:
        """Ask about the pod if it is time; returns whether it wants watching."""
        uid = pod["metadata"]["uid"]
        schedule = plan(pod, self._schedules.get(uid), now)
        if schedule is None:
            self._schedules.pop(uid, None)
            return False
        self._schedules[uid] = schedule
        if schedule.due <= now and uid not in self._tasks:
            self._schedules[uid] = after(schedule, now)
            task = asyncio.create_task(self._ask(uid, pod), name=f"inquire {uid}")
            self._tasks[uid] = task
            task.add_done_callback(lambda _: self._tasks.pop(uid, None))
        return True

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        self._schedules.pop(uid, None)

    async def close(self) -> None:
        """End every inquiry under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, uid: str, pod: Manifest) -> None:
        async with self._permits:
            found = await evidence.gather(self._cluster, self._session, pod, diagnosis.needs(pod))
        self._found(uid, found)
