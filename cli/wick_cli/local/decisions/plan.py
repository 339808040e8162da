"""How many instances to start and which to retire: pure, and the same for scaling, replacing and recovering.

::

    starting -----> ready -----> retiring -----> gone
        \\______________________/
         (a crash or a surplus)

An edit makes the instances there old. They serve until as many new ones are ready as are wanted, so no request finds
nobody; and when the new code does not load (`blocked`), they serve on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto


class ProcessState(Enum):
    STARTING = auto()
    READY = auto()
    RETIRING = auto()


@dataclass(frozen=True)
class Member:
    """One instance of a function, whatever state it is in."""

    id: str
    revision: str
    state: ProcessState


@dataclass(frozen=True)
class LocalPlan:
    """What to do next."""

    start: int = 0
    retire: tuple[str, ...] = ()


def plan(want: int, revision: str, members: Sequence[Member], *, blocked: bool = False) -> LocalPlan:
    """Next step towards `want` instances of `revision`; members are ordered oldest first.

    `blocked`: `revision` cannot start, so nothing is started, and nothing old is retired for its sake.
    """
    alive = [member for member in members if member.state is not ProcessState.RETIRING]
    current = [member for member in alive if member.revision == revision]
    old = [member for member in alive if member.revision != revision]
    ready = sum(member.state is ProcessState.READY for member in current)
    # Ready ones first, oldest first: the surplus is taken from the end.
    kept = sorted(current, key=lambda member: member.state is not ProcessState.READY)[:want]
    needed_of_old = max(0, want - ready)
    kept += sorted(old, key=lambda member: member.state is not ProcessState.READY)[:needed_of_old]
    keep = {member.id for member in kept}
    return LocalPlan(
        start=0 if blocked else max(0, want - len(current)),
        retire=tuple(member.id for member in alive if member.id not in keep),
    )
