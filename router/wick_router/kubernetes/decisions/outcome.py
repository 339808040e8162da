"""What came of a start in a warm pod."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from wick_router.kubernetes.decisions.failure import HopelessWait

Manifest = Mapping[str, Any]
Phases = tuple[tuple[str, float], ...]
"""Names of what a start did and the seconds it took."""


class WarmStarted(Struct, frozen=True):
    """The function serves in this pod."""

    pod: Manifest
    """As it will be once its claim is written."""
    phases: Phases
    claim: dict[str, Any]
    """To be written by `wick_router.kubernetes.warm_start.WarmStarts.register`."""


class CodeBroken(Struct, frozen=True):
    """The function's code does not load; the pod that found out is of no use any more."""

    pod: Manifest
    failure: HopelessWait
    claim: dict[str, Any]
