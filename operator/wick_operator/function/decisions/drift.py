"""Does an object still say what we want? A comparison that knows what the API server adds and how it rewrites.

Wanted is a part of observed: defaults and other people's fields may be there too. Lists are compared entry by entry,
by the key Kubernetes merges them on where they have one. Quantities are compared as they are stored (``0.5`` is
``500m``, ``1n`` is ``1m``). A difference that is none costs one apply that changes nothing; one that is missed would
last until the next change, so what is not understood counts as different.
"""

from fractions import Fraction
from typing import Any

from wick_api import quantity

_MERGE_KEYS = ("name", "containerPort", "mountPath", "uid", "port")
_QUANTITIES = frozenset({"requests", "limits", "divisor"})


def differs(wanted: Any, observed: Any, *, quantities: bool = False) -> bool:
    """Whether `observed` lacks something of `wanted`; with `quantities`, leaves are compared as such.

    Both are JSON values of Python's own types: to ask for `dict` costs a tenth of asking for a `Mapping`, and at rest
    this comparison is most of what a look at a function costs.
    """
    if wanted == observed:
        return False
    if isinstance(wanted, dict):
        if not isinstance(observed, dict):
            return bool(wanted)
        return any(
            differs(value, observed.get(field), quantities=quantities or field in _QUANTITIES)
            for field, value in wanted.items()
        )
    if isinstance(wanted, list):
        return _lists_differ(wanted, observed)
    if not wanted and observed is None:
        return False  # the API server leaves out empty text and false
    return not quantities or (stored := number(wanted)) is None or stored != number(observed)


def _lists_differ(wanted: list[Any], observed: Any) -> bool:
    if not isinstance(observed, list):
        return bool(wanted)
    key = next((key for key in _MERGE_KEYS if all(isinstance(w, dict) and key in w for w in wanted)), None)
    if key is None:
        return len(wanted) != len(observed) or any(map(differs, wanted, observed))
    by_key = {entry.get(key): entry for entry in observed if isinstance(entry, dict)}
    return any(differs(entry, by_key.get(entry[key])) for entry in wanted)


def number(value: Any) -> Fraction | None:
    """What a quantity is once it is stored, or None where it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return quantity.parse(value)
    except ValueError:
        return None
