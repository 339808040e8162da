"""What the autoscaler acts upon: implemented for Kubernetes and for the local platform."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from msgspec import Struct

from wick_api.function import Function
from wick_api.names import Key
from wick_autoscaler.decisions.decision import Decision


class Replicas(Struct, frozen=True, gc=False):
    """How many instances a function has."""

    wanted: int
    """What the platform was last asked for, by anyone."""
    ready: int
    fresh: bool = False
    """The function is new and has not had its `scale.initial` instances yet."""
    uid: str = ""
    """Of what holds the number, where the platform has namesakes one after the other."""
    others: str = ""
    """Who else decides the number (a person's ``kubectl scale``, an HPA); the autoscaler then leaves it alone."""


class NotScaled(Exception):
    """The platform did not take the number, for the reason in the message; the next look tries again."""


class Scaler(Protocol):
    """A platform whose functions can be given more or fewer instances."""

    def functions(self) -> Iterable[Function]:
        """Those this autoscaler is responsible for; a Function that did not change should be the same object."""

    def changed(self) -> Mapping[Key, Function | None] | None:
        """What came, was edited, went (None) or may have other `replicas` since the last call; None: anything may.

        Only these are looked at in the next tick, so that thousands at rest cost nothing. What is left out by mistake
        is found within `Settings.round`.
        """

    def replicas(self, key: Key) -> Replicas | None:
        """As last seen, without asking anyone; None while that is not known."""

    def instances(self, key: Key) -> Iterable[str]:
        """URLs of the metrics of a function's ready instances; asked only for functions that scale on cpu or memory."""

    async def scale(self, key: Key, decision: Decision, replicas: Replicas) -> None:
        """Ask for `decision.replicas` instances; `NotScaled` where the platform refuses. Bounded by a timeout.

        `replicas` is what the decision was made on: a number that somebody changed since must not be overwritten.
        """
