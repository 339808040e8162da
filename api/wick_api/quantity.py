"""Kubernetes quantities (``500m``, ``128Mi``) as exact numbers, to compare what is written differently."""

import re
from fractions import Fraction

_QUANTITY = re.compile(r"([+-]?\d*\.?\d+)([eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?")
_SCALE = {
    **{unit: Fraction(1, 1000 ** (3 - power)) for power, unit in enumerate("num")},
    **{unit: Fraction(1000 ** (power + 1)) for power, unit in enumerate("kMGTPE")},
    **{f"{unit}i": Fraction(1024 ** (power + 1)) for power, unit in enumerate("KMGTPE")},
}


def parse(text: str | float) -> Fraction:
    """The number a quantity stands for; ``ValueError`` where it is none."""
    found = _QUANTITY.fullmatch(str(text))
    if not found:
        raise ValueError(f"{text!r} is not a quantity; write it like 500m, 2 or 128Mi")
    number, suffix = found.groups()
    if suffix is None:
        return Fraction(number)
    if suffix in _SCALE:
        return Fraction(number) * _SCALE[suffix]
    return Fraction(number) * Fraction(10) ** int(suffix[1:])
