"""Whether a function's instances can come up, and if not, why; pure.

A function that has a ready pod does not fail, whatever its other pods do: a broken new revision is the operator's to
report, not a reason to refuse requests. What may pass without anybody's doing (no room on the nodes, a full quota)
counts only after it has lasted `PATIENCE`, because an autoscaler of nodes or a departing pod may mend it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from wick_api import diagnosis
from wick_api.diagnosis import Trouble
from wick_api.function import Function
from wick_api.reason import Condition, Reason

Manifest = Mapping[str, Any]

PATIENCE = 3.0
"""Seconds a transient trouble is borne before waiting requests are refused with it."""

_FATAL = frozenset(
    {
        Reason.INVALID_SPEC,
        Reason.SOURCE_NOT_FOUND,
        Reason.RUNTIME_UNKNOWN,
        Reason.NOT_OWNED,
        Reason.CONFIG_MISSING,
    }
)
"""Reasons in a Function's status that mean: no pod will ever be made for this generation."""


class HopelessWait(Struct, frozen=True):
    """Why waiting is in vain."""

    reason: Reason
    message: str


def decide(
    function: Function | None, pods: Sequence[Manifest], troubles: Iterable[Trouble], lasted: float
) -> HopelessWait | None:
    """The failure to refuse requests with, or None; `lasted` is for how many seconds there has been any trouble."""
    if any(_serves(pod) for pod in pods):
        return None
    if function is not None and not pods and (said := stated(function)):
        return said
    worst = diagnosis.worst(troubles)
    if worst is None or (worst.transient and lasted < PATIENCE):
        return None
    return HopelessWait(worst.reason, worst.message)


def _serves(pod: Manifest) -> bool:
    """A claimed warm pod counts from its adoption on: before, it may be one whose function failed to load."""
    return diagnosis.vouched(pod) and "deletionTimestamp" not in pod["metadata"]


def stated(function: Function) -> HopelessWait | None:
    """Why no pod will be made: the Function goes, or the operator's status says so of this very generation."""
    if function.metadata.deletion_timestamp:
        return HopelessWait(Reason.TERMINATING, "The Function is being deleted; no instance is started any more.")
    for condition in function.status.get("conditions", ()):
        if (
            condition.get("type") in {Condition.SOURCE_RESOLVED, Condition.DEPLOYMENT_AVAILABLE}
            and condition.get("status") == "False"
            and condition.get("observedGeneration") == function.metadata.generation
            and condition.get("reason") in _FATAL
        ):
            return HopelessWait(Reason(condition["reason"]), condition.get("message", ""))
    return None
