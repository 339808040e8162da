"""Does an object still say what we want? A comparison that knows what the API server adds and how it rewrites.

Wanted is a part of observed: defaults and other people's fields may be there too. Lists are compared entry by entry,
by the key Kubernetes merges them on where they have one. Quantities are compared by value (``0.5`` is ``500m``).
A difference that is none costs one apply that changes nothing; one that is missed would last until the next change, so
what is not understood counts as different.
"""

from decimal import Decimal, InvalidOperation
from typing import Any

_MERGE_KEYS = ("name", "containerPort", "mountPath", "uid", "port")
_QUANTITIES = frozenset({"requests", "limits", "divisor"})
_SCALE = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{letter: Decimal(10) ** (3 * power) for power, letter in enumerate("kMGTPE", 1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}


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
    return not quantities or quantity(wanted) is None or quantity(wanted) != quantity(observed)


def _lists_differ(wanted: list[Any], observed: Any) -> bool:
    if not isinstance(observed, list):
        return bool(wanted)
    key = next((key for key in _MERGE_KEYS if all(isinstance(w, dict) and key in w for w in wanted)), None)
    if key is None:
        return len(wanted) != len(observed) or any(map(differs, wanted, observed))
    by_key = {entry.get(key): entry for entry in observed if isinstance(entry, dict)}
    return any(differs(entry, by_key.get(entry[key])) for entry in wanted)


def quantity(value: Any) -> Decimal | None:
    """The number a Kubernetes quantity stands for, or None."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value)
    suffix = text.lstrip("+-.0123456789")
    try:
        if suffix in _SCALE:
            return Decimal(text.removesuffix(suffix)) * _SCALE[suffix]
        return Decimal(text)
    except InvalidOperation:
        return None
