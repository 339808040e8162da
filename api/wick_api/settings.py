"""Settings of a process from its environment: one frozen value, read once.

Every variable is the process's prefix and the field's name in capitals. Texts are taken as they stand, lists separated
by commas, truth is ``true`` or ``false``, mappings are JSON objects. What cannot be read, and a variable with the
prefix that is no setting, raises `SettingInvalid` with the variable's name.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar, get_origin, get_type_hints

LOG_LEVELS = ("debug", "info", "warning", "error")

Settings = TypeVar("Settings")
Parser = Callable[[str], Any]


class SettingInvalid(ValueError):
    """A variable that cannot be used; the message begins with its name."""


def read(
    kind: type[Settings], prefix: str, environment: Mapping[str, str], parsers: Mapping[str, Parser] | None = None
) -> Settings:
    """A value of the dataclass `kind`; what is not set has its field's default.

    `parsers` are for fields whose text this module cannot read: from text to the field's value, or ``ValueError``.
    """
    types = get_type_hints(kind)
    names = {f"{prefix}{field.name.upper()}": field.name for field in fields(kind)}  # type: ignore[arg-type] # a dataclass
    unknown = sorted(name for name in environment if name.startswith(prefix) and name not in names)
    if unknown:
        raise SettingInvalid(f"{unknown[0]}: no such setting")
    values = {}
    for variable, name in names.items():
        if variable in environment:
            parse = (parsers or {}).get(name) or _parser(types[name])
            try:
                values[name] = parse(environment[variable])
            except ValueError as error:
                raise SettingInvalid(f"{variable}: {environment[variable]!r}: {error}") from error
    return kind(**values)


def between(prefix: str, settings: object, bounds: Mapping[str, tuple[float, float]]) -> None:
    """Raises `SettingInvalid` for a number outside of its field's bounds, both of which are allowed."""
    for name, (least, most) in bounds.items():
        value = getattr(settings, name)
        if not least <= value <= most:
            raise SettingInvalid(f"{prefix}{name.upper()}: {value} is not between {least} and {most}")


def one_of(prefix: str, settings: object, choices: Mapping[str, tuple[str, ...]]) -> None:
    """Raises `SettingInvalid` for a text that is none of its field's choices."""
    for name, allowed in choices.items():
        value = getattr(settings, name)
        if value not in allowed:
            raise SettingInvalid(f"{prefix}{name.upper()}: {value!r} is none of {', '.join(allowed)}")


def _parser(kind: Any) -> Parser:
    if get_origin(kind) is tuple:
        return _list
    if get_origin(kind) in (dict, Mapping):
        return mapping
    return _truth if kind is bool else kind  # int, float or str


def mapping(text: str) -> Any:
    """A JSON object; empty where there is no text."""
    value = json.loads(text) if text.strip() else {}
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004 - told as all that cannot be read
    return value


def _list(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("is neither true nor false")
    return text == "true"
