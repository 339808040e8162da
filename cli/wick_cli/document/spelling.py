"""Fields that no Function has: the API server refuses or drops them, so does `wick`, with a guess at what was meant."""

import difflib
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from wick_api.function import FunctionSpec


def unknown_fields(spec: Any) -> Iterator[str]:
    """One message, field first, for each key of ``spec`` that the model does not know."""
    yield from _unknown(spec, FunctionSpec, "spec")


def _unknown(value: Any, kind: Any, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown(item, _struct(kind), f"{path}[{index}]")
        return
    struct = _struct(kind)
    if struct is None or not isinstance(value, Mapping):
        return
    hints = typing.get_type_hints(struct)
    known = {field.encode_name: hints[field.name] for field in msgspec.structs.fields(struct)}
    for key, below in value.items():
        if key in known:
            yield from _unknown(below, known[key], f"{path}.{key}")
        else:
            guess = difflib.get_close_matches(str(key), known, n=1)
            yield f"{path}.{key}: no such field" + (f"; did you mean {guess[0]!r}?" if guess else "")


def _struct(kind: Any) -> type[Struct] | None:
    """Find the Struct in ``Scale``, ``Source | None`` or ``tuple[Route, ...]``; None where there is none."""
    arguments = typing.get_args(kind)
    if not arguments:
        return kind if isinstance(kind, type) and issubclass(kind, Struct) else None
    found = (_struct(argument) for argument in arguments)
    return next((struct for struct in found if struct is not None), None)
