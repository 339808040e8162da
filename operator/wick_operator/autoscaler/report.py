"""Tells the cluster what was decided: `status.scale` of each Function, and few Events.

Decisions may change each second; the API server is told at most every `PAUSE` seconds for one function and `AT_ONCE`
functions a round, the longest waiting first, so a busy installation costs it a bounded number of writes.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from wick_api import names
from wick_api.fault import Faults
from wick_api.function import Function
from wick_api.names import Key
from wick_autoscaler.decisions.announcement import Announcement, Announcer
from wick_autoscaler.decisions.explanation import sentence, status
from wick_autoscaler.decisions.function_state import Decided, Track
from wick_kube.error import ApiError, ApiUnreachable
from wick_operator.leader.fenced_writer import FencedWriter

log = logging.getLogger(__name__)

ROUND = 1.0
PAUSE = 10.0
AT_ONCE = 20
MOST_EVENTS = 100
"""Waiting to be posted; more are dropped, because an Event is a courtesy."""

Eventful = Callable[[Function, Announcement, str], Mapping[str, Any]]
"""Makes the Event's manifest: about whom, what, and the sentence."""


class Report:
    """Collects what changed and writes it; `clock` is monotonic seconds, `version` a Function's resource version."""

    def __init__(
        self,
        writer: FencedWriter,
        event: Eventful,
        clock: Callable[[], float],
        version: Callable[[Function], str],
        faults: Faults | None = None,
    ) -> None:
        self._faults = faults or Faults()
        self._writer, self._event, self._clock, self._version = writer, event, clock, version
        self._dirty: dict[Key, Track] = {}
        self._written: dict[Key, float] = {}
        self._announcers: dict[Key, Announcer] = {}
        self._events: list[Mapping[str, Any]] = []

    def decided(self, track: Track, decided: Decided) -> None:
        """A decision that differs from the one before: the loop's listener."""
        key = track.function.key
        if _news(track, decided):
            self._dirty.setdefault(key, track)
        announcement = self._announcers.setdefault(key, Announcer()).about(
            self._clock(), decided.seen.replicas, decided.decision
        )
        if announcement and len(self._events) < MOST_EVENTS:
            count = decided.decision.replicas
            why = sentence(track.policy.scale, decided.seen, decided.decision)
            text = f"{count} instance{'' if count == 1 else 's'}: {why}"
            self._events.append(self._event(track.function, announcement, text))

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await asyncio.sleep(ROUND)
            now = self._clock()
            self._forget(now)
            due = [key for key in self._dirty if now - self._written.get(key, -PAUSE) >= PAUSE][:AT_ONCE]
            events, self._events = self._events, []
            await asyncio.gather(
                *(self._tell(key, self._dirty.pop(key), now) for key in due),
                *(self._post(event) for event in events),
            )

    def _forget(self, now: float) -> None:
        """Drop what has no bearing any more, of functions that are gone too."""
        self._written = {key: when for key, when in self._written.items() if now - when < PAUSE}
        self._announcers = {key: each for key, each in self._announcers.items() if not each.silent(now)}

    async def _tell(self, key: Key, track: Track, now: float) -> None:
        with self._faults.border("report of scaling", key):
            await self._status(key, track, now)

    async def _status(self, key: Key, track: Track, now: float) -> None:
        self._written[key] = now
        told, version = {"scale": status(track)}, self._version(track.function)
        if not version:
            return  # the Function was just deleted, and perhaps made anew
        try:
            await self._writer.status(
                key, told, uid=track.function.metadata.uid, version=version, manager=names.AUTOSCALER
            )
        except (ApiError, ApiUnreachable, TimeoutError) as error:
            log.warning("status.scale of %s not written: %s", key, error)
            self._dirty.setdefault(key, track)

    async def _post(self, event: Mapping[str, Any]) -> None:
        try:
            await self._writer.create(event)
        except (ApiError, ApiUnreachable, TimeoutError) as error:
            log.warning("Event not posted: %s", error)


def _news(track: Track, decided: Decided) -> bool:
    """Whether a decision is worth a write: not the first look at a function if it changes nothing.

    So a restart with thousands of functions at rest writes nothing, and neither do thousands of new ones.
    """
    if len(track.decided) > 1 or decided.decision.replicas != decided.seen.replicas:
        return True
    told = next(iter(track.function.status.get("scale", {}).get("decisions", ())), None)
    return told is not None and told.get("replicas") != decided.decision.replicas
