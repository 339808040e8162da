"""A function's source: the files its spec carries or names."""

from collections.abc import Mapping
from typing import Any

from wick_api.function import Function, SpecInvalid, check_files
from wick_api.reason import Reason


class Unresolved(Exception):
    """The source cannot be had; `reason` and the message go into the condition."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def resolve(function: Function, config_map: Mapping[str, Any] | None) -> Mapping[str, str]:
    """The files to run, none for an image; `config_map` is the one the spec names, None where it does not exist."""
    source = function.spec.source
    if source is None:
        return {}
    if source.inline is not None:
        return source.inline
    name = source.config_map.name if source.config_map else ""
    if config_map is None:
        message = f"ConfigMap {name} does not exist in namespace {function.key.namespace}; create it."
        raise Unresolved(Reason.SOURCE_NOT_FOUND, message)
    files: Mapping[str, str] = config_map.get("data") or {}
    try:
        check_files(files, f"ConfigMap {name}")
    except SpecInvalid as error:
        raise Unresolved(Reason.SOURCE_NOT_FOUND, f"{error}; correct it.") from error
    return files
