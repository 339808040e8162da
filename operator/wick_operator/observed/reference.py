"""What a function reads besides its own source."""

from msgspec import Struct


class Reference(Struct, frozen=True, order=True):
    """A Secret or ConfigMap that a function needs."""

    kind: str
    """``Secret`` or ``ConfigMap``."""
    name: str
    optional: bool = False
