"""JSON as AWS's runtime for Python writes it: what it takes, what it refuses, and the text of each value.

`awslambdaric` encodes with simplejson and a rule for `Decimal`; the standard library's encoder has no way to write a
number from text. The table in ``tests/integration/runtime/test_lambda_marshaller.py`` comes from the real package
(4.2.2), and this module is held to it. One difference: NaN and Infinity, which AWS's encoder writes although they are
no JSON (RFC 8259, section 6), are refused.
"""

from collections.abc import Iterator
from json import JSONEncoder
from typing import Any, Final

from wick_runtime.call.answer import Unsuitable

_encode: Final = JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_LEAVES: Final = frozenset({str, int, float, bool, type(None)})


def encode(value: Any) -> bytes:
    """Raises `Unsuitable`, naming the type that AWS would refuse as well."""
    try:
        return "".join(_text(value, set())).encode()
    except (ValueError, RecursionError) as error:  # NaN, text that is no Unicode, a nesting without end
        raise Unsuitable(f"the value cannot be sent as JSON: {error}") from error


def fields(value: Any) -> Any:
    """What AWS's encoder takes for an object's members: those of a named tuple are."""
    own = getattr(value, "_asdict", None)
    return own() if callable(own) and not isinstance(value, dict | type) else value


def _text(value: Any, above: set[int]) -> Iterator[str]:
    if type(value) in _LEAVES:
        yield _encode(value)
        return
    value = fields(value)
    if isinstance(value, dict | list | tuple):
        if id(value) in above:
            raise Unsuitable("the value cannot be sent as JSON: it contains itself")
        inside = above | {id(value)}
        yield from _object(value, inside) if isinstance(value, dict) else _array(value, inside)
    else:
        yield _scalar(value)


def _object(value: dict[Any, Any], above: set[int]) -> Iterator[str]:
    if all(type(key) is str for key in value) and all(type(member) in _LEAVES for member in value.values()):
        yield _encode(value)  # at the speed of C, as most objects
        return
    before = "{"
    for key, member in value.items():
        yield f"{before}{_name(key)}: "
        yield from _text(member, above)
        before = ", "
    yield "}"


def _array(value: list[Any] | tuple[Any, ...], above: set[int]) -> Iterator[str]:
    if all(type(member) in _LEAVES for member in value):
        yield _encode(value)
        return
    before = "["
    for member in value:
        yield before
        yield from _text(member, above)
        before = ", "
    yield "]"


def _scalar(value: Any) -> str:
    if isinstance(value, bytes):
        return _encode(value.decode())
    if isinstance(value, str | int | float):
        return _encode(value)
    if _is_decimal(value):
        if not value.is_finite():
            raise Unsuitable(f"the value cannot be sent as JSON: {value} is no JSON number")
        return str(value)
    raise Unsuitable(f"the value cannot be sent as JSON: AWS's encoder takes no {type(value).__name__} either")


def _name(key: Any) -> str:
    if isinstance(key, bytes):
        return _encode(key.decode())
    if isinstance(key, str | int | float | None):
        return _encode(key if isinstance(key, str) else _encode(key))
    raise Unsuitable(f"the value cannot be sent as JSON: an object's key is {type(key).__name__}, not text or a number")


def _is_decimal(value: Any) -> bool:
    """By name, so that `decimal` is imported by whoever uses it."""
    return any(
        kind.__name__ == "Decimal" and kind.__module__ in ("decimal", "_decimal") for kind in type(value).__mro__
    )
