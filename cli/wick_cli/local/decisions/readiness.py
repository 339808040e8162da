"""The Ready condition of a local function, by the rules of a cluster (`wick_operator.function.decisions.status`). Pure.

    Unknown (starting, or rolling out beside an older revision) -> True (ready, or at rest), or False with the reason

What kept a revision from serving stays until it serves or its text changes, also while nothing of it runs.
"""

from dataclasses import dataclass

from wick_api.reason import Reason


@dataclass(frozen=True)
class FleetFailure:
    """Why a revision does not start."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class LocalObservation:
    """What is known of one function."""

    state: str
    """``idle``, ``starting``, ``ready`` or ``failed``, as the router says."""
    why: str
    """The router's words for it."""
    failure: FleetFailure | None
    """Of the present text's last start."""
    lost: FleetFailure | None
    """A route that does not lead to it."""
    wanted: int
    ready: int
    """Instances that serve, of any revision."""
    current: int
    """Those of the present text."""
    unread: str = ""
    """What is wrong with its file now, so that the text is that of before."""


@dataclass(frozen=True)
class LocalVerdict:
    """The condition."""

    status: str
    reason: Reason
    message: str


def readiness(seen: LocalObservation) -> LocalVerdict:
    """Judge one function."""
    hindrance = _hindrance(seen)
    if hindrance:
        return LocalVerdict("False", hindrance.reason, hindrance.message)
    if seen.current:
        return LocalVerdict("True", Reason.READY, seen.why)
    if seen.ready:
        message = "the code as it is now is starting; the code before it serves until it is ready"
        return LocalVerdict("Unknown", Reason.ROLLING_OUT, message)
    if seen.wanted or seen.state == "starting":
        return LocalVerdict("Unknown", Reason.STARTING, "an instance is starting")
    return LocalVerdict("True", Reason.IDLE, seen.why)


def _hindrance(seen: LocalObservation) -> FleetFailure | None:
    if seen.unread:
        message = f"its file as it is now cannot be used, so what it said before counts: {seen.unread}"
        return FleetFailure(Reason.INVALID_SPEC, message)
    if seen.failure and not seen.current:
        message = seen.failure.message
        if seen.ready:
            message = f"the code as it is now does not start, so the code before it serves on: {message}"
        return FleetFailure(seen.failure.reason, message)
    if seen.state == "failed":
        return FleetFailure(Reason.LOAD_FAILED, seen.why)
    return seen.lost
