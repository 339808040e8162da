"""Kubernetes quantities (``500m``, ``128Mi``) as exact numbers, equal where the API server keeps them as equal.

The grammar is that of apimachinery's ``resource.ParseQuantity`` (`5.`, `.5`, `1.Gi`, `1E3`; a suffix alone is zero),
its canonical form that of a container's resources: rounded up to thousandths, binary suffixes cut at 2^63-1. The
length and the exponent are bounded, so that reading one takes microseconds whatever a Function says. `PATTERN` is the
CRD's, and narrower: what it lets in, the API server keeps without a loss and every part can compute as a float.
"""

import math
import re
from fractions import Fraction
from typing import Any

LONGEST = 64
"""Characters of a quantity; the CRD's `maxLength`."""
LARGEST_EXPONENT = 200
"""The CRD takes 99; the API server's canonical form may add what the mantissa's zeros give."""
PATTERN = r"^\+?([0-9]{1,18}|[0-9]{1,18}\.[0-9]{0,18}|\.[0-9]{1,18})(([KMGTPE]i)|[numkMGTPE]|([eE][-+]?[0-9]{1,2}))?$"
"""From 19 digits on the API server rewrites a number and loses suffixes beyond E."""

_QUANTITY = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i))?")
_OURS = re.compile(PATTERN.removeprefix("^").removesuffix("$"))
_SCALE = {
    **{unit: Fraction(1, 1000 ** (3 - power)) for power, unit in enumerate("num")},
    **{unit: Fraction(1000 ** (power + 1)) for power, unit in enumerate("kMGTPE")},
    **{f"{unit}i": Fraction(1024 ** (power + 1)) for power, unit in enumerate("KMGTPE")},
}
_LARGEST_BINARY = Fraction(2**63 - 1)
_LARGEST_WHOLE_FLOAT = 2.0**53
"""From here on the API server takes no float for an integer."""


def parse(value: str | float) -> Fraction:
    """The number a container's quantity stands for once it is stored; ``ValueError`` where it is none."""
    text = str(value).strip()
    found = _QUANTITY.fullmatch(text) if 0 < len(text) <= LONGEST else None
    if not found:
        raise ValueError(f"{text[:LONGEST]!r} is not a quantity; write it like 500m, 2 or 128Mi")
    sign, whole, part, exponent, suffix = found.groups()
    part = part or ""
    number = Fraction(int(f"{whole}{part}" or "0"), 10 ** len(part))
    if exponent is not None:
        if abs(int(exponent)) > LARGEST_EXPONENT:
            raise ValueError(f"{text!r} has an exponent beyond {LARGEST_EXPONENT}; write it like 500m, 2 or 128Mi")
        number *= Fraction(10) ** int(exponent)
    elif suffix:
        number *= _SCALE[suffix]
        if suffix.endswith("i"):
            number = min(number, _LARGEST_BINARY)
    kept = Fraction(math.ceil(number * 1000), 1000)
    return -kept if sign == "-" else kept


def problem(value: Any) -> str:
    """Why the CRD refuses this as a quantity; empty where it does not."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return f"{value!r} is not a quantity; write it like 500m, 2 or 128Mi"
    if isinstance(value, str):
        fits = len(value) <= LONGEST and _OURS.fullmatch(value)
        return "" if fits else f"{value[:LONGEST]!r} is not a quantity; write it like 500m, 2 or 128Mi"
    if value < 0 or value >= 2**63:
        return f"{value!r} must be at least 0 and less than 2^63"
    whole = isinstance(value, int) or (value < _LARGEST_WHOLE_FLOAT and value.is_integer())
    return "" if whole else f"{value!r} must be a whole number or a text, such as '500m'"
