"""What a YAML scalar means to ``kubectl``: the rules of go-yaml as sigs.k8s.io/yaml 1.6 carries it. Pure.

They are YAML 1.1's with exceptions, recorded from kubectl in `tests/corpus/yaml/scalars.json`: ``y`` is true, ``08`` is
8, ``0o17`` is 15, ``1e3`` is 1000; ``22:22``, dates, ``=`` and ``1e400`` are text. The value then goes through JSON:
a float without a fraction becomes an integer where it fits 64 bits, and infinity does not exist.
"""

import base64
import binascii
import math
import re
import struct
from decimal import Decimal

Scalar = None | bool | int | float | str

PLAIN, QUOTED = "?", "!"
"""Tags for a scalar without one, by how it is written; anything else is a tag that somebody wrote."""

_YAML = "tag:yaml.org,2002:"
_TRUE = ("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE")
_FALSE = ("n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE")
_NULL = ("", "~", "null", "Null", "NULL")
_INFINITE = tuple(sign + name for sign in ("", "+", "-") for name in (".inf", ".Inf", ".INF"))
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(_TRUE, True),
    **dict.fromkeys(_FALSE, False),
    **dict.fromkeys(_NULL),
    **dict.fromkeys(_INFINITE, math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[oO]?(?P<octal>[0-7]+)|0[bB](?P<binary>[01]+)|(?P<decimal>0|[1-9][0-9]*))",
    re.ASCII,
)
_BASES = {"hex": 16, "octal": 8, "binary": 2, "decimal": 10}
_TIMESTAMP = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([Tt ]\s*\d{1,2}:\d{1,2}:\d{1,2}.*)?", re.ASCII)
_MOST_DIGITS = 400
"""Longer ones are more than any float, and slow to read."""


class ScalarRefused(ValueError):
    """The value has no meaning in JSON, or not that of its tag."""


def resolve(tag: str, text: str) -> Scalar:
    """Value of a scalar with `tag`, which may be `PLAIN` or `QUOTED`; `ScalarRefused` where kubectl refuses it."""
    if tag == PLAIN:
        return _json(plain(text), text)
    kind = tag.removeprefix(_YAML)
    if kind == "binary":
        return _binary(text)
    if tag == kind or kind not in ("bool", "int", "float", "null", "timestamp"):  # a tag of somebody's own means text
        return text
    if kind == "timestamp":
        if not _TIMESTAMP.fullmatch(text):
            raise ScalarRefused(f"{text!r} is no time")
        return text
    value = plain(text)
    found = {bool: "bool", int: "int", float: "float", str: "str", type(None): "null"}[type(value)]
    if found != kind and (found, kind) != ("int", "float"):
        raise ScalarRefused(f"{text!r} is no {kind}")
    return _json(value, text)


def plain(text: str) -> Scalar:
    """Value of a scalar without tag and quotes, before it becomes JSON."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] == ".":
        return _float(text) if _FLOAT.fullmatch(text) else text
    if text[0] not in "+-0123456789":
        return text
    digits = text.replace("_", "")
    number = _integer(digits)
    if number is not None:
        return number
    return _float(digits, text) if _FLOAT.fullmatch(digits) else text


def key_text(value: Scalar) -> str:
    """The JSON key that a mapping's key becomes; `ScalarRefused` where there is none."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _shortest(value)
    raise ScalarRefused("null cannot be a key")


def _integer(digits: str) -> int | None:
    """64 bits of one, signed or not; None where it is no integer or has more."""
    found = _INTEGER.fullmatch(digits)
    if found is None or len(digits) > _MOST_DIGITS:
        return None
    number = int(str(found[found.lastgroup or ""]), _BASES[found.lastgroup or ""])
    signed = -number if found["sign"] == "-" else number
    most = 2**63 - 1 if found["sign"] else 2**64 - 1
    return signed if -(2**63) <= signed <= most else None


def _float(digits: str, text: str = "") -> float | str:
    number = float(digits)
    return (text or digits) if math.isinf(number) else number


def _json(value: Scalar, text: str) -> Scalar:
    """What is left of a value behind JSON: Go reads a number as 64-bit integer where it can, else as float."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ScalarRefused(f"{text} has no meaning in JSON")
        return number(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return number(value)
    return value


def number(value: float) -> int | float:
    """A JSON number as the API server's decoder sees it."""
    if isinstance(value, float) and (not value.is_integer() or not -(2**63) <= value < 2**63):
        return value
    whole = int(Decimal(repr(value)))  # its shortest digits, as Go writes them, and not all of its bits
    return whole if -(2**63) <= whole < 2**63 else float(whole)


def _binary(text: str) -> str:
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error as error:
        raise ScalarRefused("!!binary is not base64") from error
    return replaced(data)


def replaced(data: bytes) -> str:
    """Text of UTF-8, each byte that is none replaced, as Go does."""
    return re.sub("[\udc80-\udcff]", "\ufffd", data.decode("utf-8", "surrogateescape"))


def _shortest(value: float) -> str:
    """Go's ``FormatFloat(value, 'g', -1, 32)``, which sigs.k8s.io/yaml uses for keys."""
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    try:
        single = struct.pack("f", value)
    except OverflowError:
        return ".inf" if value > 0 else "-.inf"
    texts = (f"{value:.{precision}e}" for precision in range(9))
    text = next((text for text in texts if struct.pack("f", float(text)) == single), repr(value))
    mantissa, _, exponent = text.partition("e")
    if -5 < int(exponent) < 21:  # noqa: PLR2004 - Go's own limits
        return f"{float(text):f}".rstrip("0").rstrip(".") if "." in f"{float(text):f}" else f"{float(text):.0f}"
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(exponent):+03d}"
