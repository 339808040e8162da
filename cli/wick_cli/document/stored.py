"""How large a Function's source is where it is kept: etcd holds custom resources as the JSON that Go writes. Pure."""

import re
from collections.abc import Mapping

MAX_STORED = 1_500_000
"""Bytes; etcd takes requests of 1.5 MiB, and the rest of the object needs some."""

_SIX = re.compile("[<>&\x00-\x07\x0b\x0e-\x1f\u2028\u2029]")
_TWO = re.compile('[\n\r\t\b\f"\\\\]')


def stored_size(files: Mapping[str, str]) -> int:
    """Bytes of the files and their names as JSON text: ``<``, ``>`` and ``&`` are six, a newline or quote two."""
    return sum(_size(name) + _size(text) + len('"":"",') for name, text in files.items())


def source_problem(files: Mapping[str, str]) -> str:
    """Why the API server could not keep these files in ``spec.source.inline``; empty where it can."""
    size = stored_size(files)
    if size <= MAX_STORED:
        return ""
    return (
        f"spec.source.inline: the API server keeps it as {size:,} bytes of JSON, of which '<', '>' and '&' take six; "
        f"at most {MAX_STORED:,} fit. Keep large text in a ConfigMap (spec.source.configMap) or build an image"
    )


def _size(text: str) -> int:
    six = _SIX.findall(text)
    return len(text.encode()) + len(_TWO.findall(text)) + sum(6 - len(each.encode()) for each in six)
