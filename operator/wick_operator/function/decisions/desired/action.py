"""What to do about one child, given what is there."""

from enum import Enum

from wick_operator.observed.managed_fields import Owner


class Action(Enum):
    """See `action`."""

    CREATE = "create"
    KEEP = "keep"
    REPAIR = "repair"
    WAIT = "wait"
    """A predecessor's child is about to be collected."""
    REPORT = "report"
    """Somebody else's: never touched."""


def action(owner: Owner | None, *, drifted: bool) -> Action:
    """`owner` is None where no object has the child's name."""
    match owner:
        case None:
            return Action.CREATE
        case Owner.PREDECESSOR:
            return Action.WAIT
        case Owner.ANOTHER:
            return Action.REPORT
        case Owner.THIS:
            return Action.REPAIR if drifted else Action.KEEP
