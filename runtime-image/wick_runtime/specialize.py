"""The order a pool's instance gets once: which function to become."""

import json
import os
from typing import Any, NamedTuple

from wick_runtime.config import (
    MAX_BODY,
    MAX_CONCURRENCY,
    MAX_TIMEOUT,
    Config,
    Invalid,
    Limits,
    Target,
    handler_name,
    interface_name,
    number,
)


class Order(NamedTuple):
    """Checked."""

    target: Target
    limits: Limits
    files: dict[str, str]
    env: dict[str, str]


def parse(body: bytes, config: Config) -> Order:
    """Raises `Invalid`, naming the member."""
    try:
        given = json.loads(body)
    except ValueError as error:
        raise Invalid(f"the body is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise Invalid("the body is not a JSON object")
    target = Target(
        code=config.target.code,
        handler=handler_name(_text(given, "handler", "main:handle"), "handler"),
        interface=interface_name(_text(given, "interface", "auto"), "interface"),
        function=_text(given, "function", ""),
        namespace=_text(given, "namespace", ""),
        revision=_text(given, "revision", ""),
        debug=given.get("debug", False) is True,
    )
    ours = config.limits
    limits = Limits(
        concurrency=int(number(given.get("concurrency", ours.concurrency), "concurrency", 1, MAX_CONCURRENCY)),
        timeout=number(given.get("timeout", ours.timeout), "timeout", 0.001, MAX_TIMEOUT, whole=False),
        max_request_bytes=int(
            number(given.get("maxRequestBytes", ours.max_request_bytes), "maxRequestBytes", 0, MAX_BODY)
        ),
    )
    files = _texts(given, "files")
    for path in files:
        if not safe(path):
            raise Invalid(f"files: {path!r} is not a path inside the code directory")
    return Order(target, limits, files, _texts(given, "env"))


def safe(path: str) -> bool:
    """Whether a relative path stays below its root."""
    parts = path.split("/")
    return bool(path) and "\0" not in path and all(part not in ("", ".", "..") for part in parts)


def unpack(order: Order) -> None:
    """Write the files below the code directory; raises `OSError`."""
    for path, text in order.files.items():
        full = os.path.join(order.target.code, path)  # noqa: PTH118 - pathlib costs 5 ms to import
        os.makedirs(os.path.dirname(full), exist_ok=True)  # noqa: PTH103, PTH120 - as above
        with open(full, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123 - as above
            file.write(text)


def _text(given: dict[str, Any], name: str, default: str) -> str:
    value = given.get(name, default)
    if not isinstance(value, str):
        raise Invalid(f"{name}: {value!r} is not text")
    return value or default


def _texts(given: dict[str, Any], name: str) -> dict[str, str]:
    value = given.get(name, {})
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise Invalid(f"{name}: not an object of texts")
    return value
