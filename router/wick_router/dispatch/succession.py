"""When a new revision has taken an older one's place: from then on no request begins with the older one. Pure.

    wanted: r2     r1 r1      both serve: requests go to whichever has room
                   r1 r1 r2   the same; the Deployment takes an r1 away for each r2 that is ready
                   r1 r2 r2   as many of r2 as there were of r1: r1 is *superseded*, though it still listens

With one instance that is the moment in which the new one serves; with more, capacity does not fall below what it was.
Where new instances stop serving, the older ones that are left serve again.
"""

from collections.abc import Collection, Iterable

from wick_router.dispatch.action import EndpointState


class Succession:
    """Which revision is wanted, and how many instances of others served when it came to be wanted."""

    __slots__ = ("_replaced", "wanted")

    def __init__(self) -> None:
        self.wanted = ""
        self._replaced = 0

    def want(self, revision: str, slots: Iterable[EndpointState]) -> None:
        """The Function asks for this revision; an empty one where it is not known."""
        if revision != self.wanted:
            self.wanted = revision
            self._replaced = sum(serves(slot) and slot.instance.revision != revision for slot in slots)

    def changed(self, slots: Collection[EndpointState]) -> list[EndpointState]:
        """Instances that are superseded from now on, or no longer; their `superseded` says which."""
        new = sum(serves(slot) and slot.instance.revision == self.wanted for slot in slots)
        old = sum(serves(slot) and slot.instance.revision != self.wanted for slot in slots)
        over = bool(self.wanted and new and old) and new >= (self._replaced or old)
        turned = [slot for slot in slots if slot.superseded != (over and slot.instance.revision != self.wanted)]
        for slot in turned:
            slot.superseded = not slot.superseded
        return turned


def serves(slot: EndpointState) -> bool:
    """Whether it is ready for requests, busy or not."""
    return slot.ready and slot.live and not slot.failed_load
