"""Lines of the Prometheus text format (0.0.4) and of OpenMetrics, read one at a time.

Anything valid is read: labels in any order, escapes, spaces, timestamps, exemplars. What is not a sample, or not a
valid one, is None: one broken line of a target must not hide its others.
"""

import math
import re
from typing import NamedTuple

CONTENT_TYPE = "text/plain; version=0.0.4"

_HEAD = re.compile(rb"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*")
_LABEL = re.compile(rb'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(,\s*|(?=\}))')
_VALUE = re.compile(rb"\s*([^\s#]+)(?:\s+[-+0-9.eE]+)?\s*(?:#.*)?")
_ESCAPE = re.compile(rb"\\(.)")
_ESCAPED = {b"n": b"\n"}


class Sample(NamedTuple):
    name: str
    labels: dict[str, str]
    value: float


def read(line: bytes) -> Sample | None:
    """One sample, or None for a comment, an empty line, or one that breaks the format or is not finite."""
    head = _HEAD.match(line)
    if head is None:
        return None
    position, labels = head.end(), {}
    if line[position : position + 1] == b"{":
        position += 1
        while pair := _LABEL.match(line, position):
            labels[pair[1].decode()] = _unescaped(pair[2])
            position = pair.end()
        if line[position : position + 1] != b"}":
            return None
        position += 1
    rest = _VALUE.fullmatch(line, position)
    number = value(rest[1]) if rest else None
    return None if number is None else Sample(head[1].decode(), labels, number)


def value(text: bytes) -> float | None:
    """A sample's value where it is a finite number."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _unescaped(text: bytes) -> str:
    return _ESCAPE.sub(lambda pair: _ESCAPED.get(pair[1], pair[1]), text).decode(errors="replace")
