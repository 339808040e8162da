"""The Function CRD's schema, applied as the API server applies it to a strict write. Pure.

`function.schema.json` is made from the CRD by ``charts/generate.py``. Rules in CEL are `wick_api.function.parse`'s.
"""

import difflib
import functools
import json
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

Schema = Mapping[str, Any]

_INT_OR_STRING = "x-kubernetes-int-or-string"
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_KEYS = "x-kubernetes-list-map-keys"
_NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}


@functools.cache
def function_schema() -> Schema:
    """Of a whole Function."""
    return dict(json.loads(resources.files(__package__).joinpath("function.schema.json").read_text()))


def function_problems(manifest: Mapping[str, Any]) -> list[str]:
    """All that the schema refuses of a Function."""
    schema = function_schema()
    known = schema["properties"]
    top = [f"{name}: no such field" for name in manifest if name not in known]
    return [*top, *problems(manifest.get("spec"), known["spec"], "spec")]


def defaulted(value: Any, schema: Schema) -> Any:
    """The same without the nulls that the API server replaces by a default."""
    if isinstance(value, dict):
        below = {name: _below(schema, name) for name in value}
        return {
            name: defaulted(each, below[name] or {})
            for name, each in value.items()
            if each is not None or "default" not in (below[name] or {})
        }
    if isinstance(value, list):
        return [defaulted(each, schema.get("items", {})) for each in value]
    return value


def problems(value: Any, schema: Schema, path: str) -> Iterator[str]:
    """One message, field first, for each thing the schema refuses."""
    if _PRESERVE in schema and "properties" not in schema:
        return
    wanted = "integer or string" if _INT_OR_STRING in schema else str(schema.get("type", ""))
    if not _fits(value, wanted):
        yield f"{path}: expected {wanted}, got {_kind(value)}"
    elif isinstance(value, dict):
        yield from _object(value, schema, path)
    elif isinstance(value, list):
        yield from _list(value, schema, path)
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is none of {', '.join(map(str, schema['enum']))}"
    elif isinstance(value, str):
        yield from _text(value, schema, path)
    elif not isinstance(value, bool):
        yield from _number(value, schema, path)


def _fits(value: Any, wanted: str) -> bool:
    kind = _kind(value)
    return (
        wanted in (kind, "")
        or (wanted, kind) == ("number", "integer")
        or (wanted == "integer or string" and kind in ("integer", "string"))
    )


def _kind(value: Any) -> str:
    return _NAMES.get(type(value), "null")


def _below(schema: Schema, name: str) -> Schema | None:
    found = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
    return found if isinstance(found, Mapping) else None


def _object(value: Mapping[str, Any], schema: Schema, path: str) -> Iterator[str]:
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{path}: the field {name!r} is missing"
    if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value)):
        yield f"{path}: has {len(value)} entries; {_bounds(schema, 'minProperties', 'maxProperties')}"
    known = schema.get("properties", {})
    for name, each in value.items():
        below = _below(schema, name)
        if below is not None:
            yield from problems(each, below, f"{path}.{name}")
        elif known and _PRESERVE not in schema:
            guess = difflib.get_close_matches(name, known, n=1)
            yield f"{path}.{name}: no such field" + (f"; did you mean {guess[0]!r}?" if guess else "")


def _list(value: list[Any], schema: Schema, path: str) -> Iterator[str]:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        yield f"{path}: has {len(value)} entries; {_bounds(schema, 'minItems', 'maxItems')}"
    for index, each in enumerate(value):
        yield from problems(each, schema.get("items", {}), f"{path}[{index}]")
    keys = schema.get(_KEYS) or (() if schema.get("x-kubernetes-list-type") != "set" else None)
    if keys == ():
        return
    seen: list[Any] = []
    for index, each in enumerate(value):
        key = [each.get(name) for name in keys] if keys and isinstance(each, dict) else each
        if key in seen:
            yield f"{path}[{index}]: {key if keys is None else ', '.join(map(str, key))} is given twice"
        seen.append(key)


def _text(value: str, schema: Schema, path: str) -> Iterator[str]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield f"{path}: has {len(value)} characters; {_bounds(schema, 'minLength', 'maxLength')}"
    elif "pattern" in schema and not _pattern(schema["pattern"]).search(value):
        yield f"{path}: {value!r} does not match {schema['pattern']}"


def _number(value: float, schema: Schema, path: str) -> Iterator[str]:
    low, high = schema.get("minimum"), schema.get("maximum")
    below = low is not None and (value <= low if schema.get("exclusiveMinimum") else value < low)
    above = high is not None and (value >= high if schema.get("exclusiveMaximum") else value > high)
    if below or above:
        yield f"{path}: {value} is out of bounds; {_bounds(schema, 'minimum', 'maximum')}"


def _bounds(schema: Schema, low: str, high: str) -> str:
    least, most = schema.get(low), schema.get(high)
    words = [f"at least {least}"] if least is not None else []
    return " and ".join([*words, f"at most {most}"] if most is not None else words)


@functools.cache
def _pattern(text: str) -> re.Pattern[str]:
    """RE2's ``$`` is the very end, and its classes are ASCII."""
    return re.compile(re.sub(r"(?<!\\)\$", r"\\Z", text), re.ASCII)
