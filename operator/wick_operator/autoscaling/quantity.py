"""Kubernetes quantities (``250m``, ``1.5``, ``128Mi``) as numbers."""

import re

_QUANTITY = re.compile(r"([+-]?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|)")
_FACTOR = {"": 1.0, "m": 1e-3, "k": 1e3} | {
    prefix + suffix: base**power
    for suffix, base in (("", 1e3), ("i", 1024.0))
    for power, prefix in enumerate("KMGTPE", start=1)
    if prefix + suffix != "K"
}


def read(text: object) -> float | None:
    """The number a quantity stands for: cores, or bytes. None for what is not one."""
    quantity = _QUANTITY.fullmatch(str(text))
    return float(quantity[1]) * _FACTOR[quantity[2]] if quantity else None
