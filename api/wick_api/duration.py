"""Durations as people write them in a Function: ``90s``, ``1m30s``, ``250ms``.

The syntax is Go's ``time.ParseDuration`` restricted to ``ms``, ``s``, ``m``, ``h`` and to values without a sign,
because that is what CEL's ``duration()`` reads too, so the API server and Kubewick agree on every text.
"""

import re
from typing import Self

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"


class Duration(float):
    """Seconds, parsed from text; prints as the text a Function would carry."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``1m30s`` as 90.0 seconds; ``ValueError`` names the text where it is not a duration."""
        if not re.fullmatch(PATTERN, text, re.ASCII):
            raise ValueError(f"{text!r} is not a duration; write it like 30s, 5m or 1h30m")
        return cls(sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text)))

    def __str__(self) -> str:
        milliseconds = round(self * 1000)
        if milliseconds % 1000:
            return f"{milliseconds}ms"
        seconds = milliseconds // 1000
        for size, unit in ((3600, "h"), (60, "m")):
            if seconds and seconds % size == 0:
                return f"{seconds // size}{unit}"
        return f"{seconds}s"
