"""What a function's state machine speaks of: requests as pendings, instances as slots, and what it wants done."""

from collections.abc import Sequence

from msgspec import Struct

from wick_api.reason import Reason, Refusal
from wick_router.backend import Instance
from wick_router.dispatch.demand import RevisionDemand

HOLD_FIRST, HOLD_LAST = 0.002, 0.064
"""Seconds an instance that refused for concurrency is left alone; doubles with each refusal in a row."""


class Pending:
    """One request as the machine sees it. The caller subclasses it and never writes these fields."""

    deadline: float
    order = 0
    slot: "EndpointState | None" = None
    waiting = False
    cold = False
    """It had to wait when no instance was ready."""


class EndpointState:
    """One instance and its load."""

    __slots__ = (
        "demand",
        "draining",
        "failed_load",
        "held_until",
        "hold",
        "in_flight",
        "instance",
        "listed",
        "ready",
        "superseded",
        "unproven",
    )

    def __init__(self, instance: Instance, demand: RevisionDemand) -> None:
        self.instance = instance
        self.demand = demand
        self.in_flight = 0
        self.ready = instance.ready
        self.draining = instance.terminating
        self.listed = True
        self.held_until = 0.0
        """Not before this moment; 0 when it is not held."""
        self.hold = HOLD_FIRST
        self.failed_load = False
        """Its code did not load; it can only say why."""
        self.superseded = False
        """A newer revision has taken its place: it finishes what it has."""
        self.unproven = False
        """Nobody dials it, until its revision is proven or nothing else serves."""

    @property
    def live(self) -> bool:
        """It serves, or may soon."""
        return self.listed and not self.draining


class StartFailure(Struct, frozen=True):
    """Why instances cannot come up."""

    reason: Reason
    message: str
    since: float


class Forward(Struct):
    """Send the request to this instance."""

    pending: Pending
    slot: EndpointState


class Refuse(Struct):
    """Answer the request; it is settled."""

    pending: Pending
    refusal: Refusal
    message: str
    reason: str = ""


class Activate(Struct):
    """Ask the platform for a first instance."""


class Dial(Struct):
    """Find out when this instance can be connected to, and say so with `dialled`."""

    slot: EndpointState


class ColdStarted(Struct):
    """A cold start ended: `seconds` from the first request's arrival to a ready instance."""

    slot: EndpointState
    seconds: float


Action = Forward | Refuse | Activate | Dial | ColdStarted
Actions = Sequence[Action]
NOTHING: Actions = ()
