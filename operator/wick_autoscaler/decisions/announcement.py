"""Which decisions deserve an Event: changes a person would want to hear of, each kind seldom."""

from msgspec import Struct

from wick_autoscaler.decisions.decision import Decision, Why

QUIET = 600.0
"""Seconds between two Events of one kind for one function."""
_MARKED = {
    Why.PANIC: ("Normal", "Burst"),
    Why.MAX: ("Warning", "AtMaximum"),
    Why.BLIND: ("Warning", "MetricsMissing"),
    Why.OTHERS: ("Warning", "ScaledByOthers"),
    Why.SCHEDULE: ("Normal", "Scheduled"),
    Why.PREDICTION: ("Normal", "Predicted"),
}


class Announcement(Struct, frozen=True):
    """One Kubernetes Event to be made."""

    type: str
    reason: str


class Announcer:
    """What was said about one function, and when; monotonic seconds."""

    __slots__ = ("_said",)

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def about(self, now: float, replicas: int, decision: Decision) -> Announcement | None:
        """The Event this decision is worth, None for most: `replicas` is the number before it."""
        kind, reason = _MARKED.get(decision.reason) or ("Normal", _direction(replicas, decision.replicas))
        if not reason or now - self._said.get(reason, -QUIET) < QUIET:
            return None
        self._said[reason] = now
        return Announcement(kind, reason)

    def silent(self, now: float) -> bool:
        """Nothing said so far keeps anything from being said."""
        return all(now - when >= QUIET for when in self._said.values())


def _direction(before: int, after: int) -> str:
    if before == after:
        return ""
    if after == 0:
        return "ScaledToZero"
    return "ScaledUp" if after > before else "ScaledDown"
