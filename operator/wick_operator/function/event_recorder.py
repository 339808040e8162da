"""Telling of changes of state: Kubernetes Events, and gauges."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from wick_api import names
from wick_api.function import Function
from wick_api.names import Key
from wick_api.reason import Condition
from wick_api.revision import digest
from wick_kube.error import ApiError, ApiUnreachable
from wick_operator import metrics
from wick_operator.leader.fenced_writer import FencedWriter

log = logging.getLogger(__name__)

_QUIET = 300.0
"""Seconds in which the same state is not told of again, however often a function comes back to it."""
_LONGEST_NOTE = 1000

State = tuple[str, str]
"""Status and reason of the condition Ready."""


class EventSource(Struct, frozen=True):
    """Who tells, and when."""

    identity: str
    now: str
    """RFC 3339 with microseconds."""
    controller: str = names.OPERATOR


class Recorder:
    """`clock` is monotonic seconds, `today` RFC 3339 with microseconds."""

    def __init__(
        self, fence: FencedWriter, identity: str, clock: Callable[[], float], today: Callable[[], str]
    ) -> None:
        self._fence, self._identity, self._clock, self._today = fence, identity, clock, today
        self._told: dict[Key, dict[State, float]] = {}
        self._reasons: dict[Key, str] = {}
        self._not_ready: Counter[str] = Counter()
        self._slos: set[Key] = set()

    async def tell(self, function: Function, status: Mapping[str, Any]) -> None:
        """Post an Event if the state is another one than before; an Event that can't be posted is only logged."""
        state, message = _state(status)
        if not _worth_telling(_state(function.status)[0], state):
            return
        now, told = self._clock(), self._told.setdefault(function.key, {})
        if now - told.get(state, -_QUIET) < _QUIET:
            return
        told[state] = now
        log.info("%s: %s", state[1], message, extra={"function": str(function.key)})
        try:
            kind = "Warning" if state[0] == "False" else "Normal"
            origin = EventSource(self._identity, self._today())
            await self._fence.create(event(function, kind, state[1], message, origin))
        except (ApiError, ApiUnreachable, TimeoutError) as error:
            log.warning("Event not posted: %s", error, extra={"function": str(function.key)})

    def count(self, function: Function, status: Mapping[str, Any]) -> None:
        """Keep the gauges of what is not ready, and of what users were promised."""
        key, state = function.key, _state(status)[0]
        self._set_reason(key, state[1] if state[0] == "False" else "")
        self._promise(function)

    def forget(self, key: Key) -> None:
        """A function is gone."""
        self._told.pop(key, None)
        self._set_reason(key, "")
        if key in self._slos:
            self._slos.discard(key)
            for gauge in (metrics.SLO_AVAILABILITY, metrics.SLO_LATENCY, metrics.SLO_LATENCY_RATIO):
                gauge.remove_by_labels({"namespace": key.namespace, "function": key.name})

    def _set_reason(self, key: Key, reason: str) -> None:
        before = self._reasons.pop(key, "")
        if reason:
            self._reasons[key] = reason
        self._not_ready[before] -= 1
        self._not_ready[reason] += 1
        for each in {before, reason} - {""}:
            metrics.NOT_READY.labels(reason=each).set(self._not_ready[each])

    def _promise(self, function: Function) -> None:
        key, slo = function.key, function.spec.slo
        if slo is None and key in self._slos:
            reason = self._reasons.get(key, "")
            self.forget(key)
            self._set_reason(key, reason)
        if slo is None:
            return
        self._slos.add(key)
        if slo.availability is not None:
            metrics.SLO_AVAILABILITY.labels(*key).set(slo.availability / 100)
        if slo.latency is not None:
            metrics.SLO_LATENCY.labels(*key).set(float(slo.latency))
            metrics.SLO_LATENCY_RATIO.labels(*key).set(slo.latency_percentage / 100)


def _worth_telling(before: State, now: State) -> bool:
    """What stops a function from serving, and that it serves again; not that it rests, starts or was just made."""
    if now[0] == "False":
        return before != now
    return now[0] == "True" and before[0] == "False"


def _state(status: Mapping[str, Any]) -> tuple[State, str]:
    for condition in status.get("conditions", ()):
        if condition.get("type") == Condition.READY:
            return (condition["status"], condition["reason"]), status.get("why", "")
    return ("", ""), ""


def event(function: Function, kind: str, reason: str, note: str, origin: EventSource) -> dict[str, Any]:
    """An events.k8s.io Event about a function; `kind` is Normal or Warning."""
    metadata = function.metadata
    name = f"{metadata.name}.{digest(metadata.uid, kind, reason, note, origin.now)[:16]}"
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": metadata.namespace},
        "eventTime": origin.now,
        "reportingController": origin.controller,
        "reportingInstance": origin.identity[:128],
        "action": "Reconcile",
        "reason": reason,
        "type": kind,
        "note": note[:_LONGEST_NOTE],
        "regarding": {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "name": metadata.name,
            "namespace": metadata.namespace,
            "uid": metadata.uid,
        },
    }
