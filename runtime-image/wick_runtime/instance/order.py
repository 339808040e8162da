"""The order a pool's instance gets once: which function to become."""

import json
from typing import Any, NamedTuple

from wick_runtime.config import (
    MAX_BODY,
    MAX_CONCURRENCY,
    MAX_TIMEOUT,
    FunctionTarget,
    RequestLimits,
    RuntimeConfig,
    RuntimeSettingInvalid,
    handler_name,
    interface_name,
    lambda_choice,
    number,
    safe,
)


class Order(NamedTuple):
    """Checked."""

    target: FunctionTarget
    limits: RequestLimits
    files: dict[str, str]
    env: dict[str, str]


def repeats(target: FunctionTarget, present: FunctionTarget) -> bool:
    """Whether an order names the very revision of the function that the instance has."""
    return bool(target.revision) and (target.namespace, target.function, target.revision) == (
        present.namespace,
        present.function,
        present.revision,
    )


def parse(body: bytes, config: RuntimeConfig) -> Order:
    """Raises `RuntimeSettingInvalid`, naming the member."""
    try:
        given = json.loads(body)
    except ValueError as error:
        raise RuntimeSettingInvalid(f"the body is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise RuntimeSettingInvalid("the body is not a JSON object")
    wanted = interface_name(_text(given, "interface", "auto"), "interface")
    event, interface = lambda_choice(_text(given, "lambdaEvent", ""), wanted, "lambdaEvent")
    target = FunctionTarget(
        code=config.target.code,
        handler=handler_name(_text(given, "handler", "main:handle"), "handler"),
        interface=interface,
        function=_text(given, "function", ""),
        namespace=_text(given, "namespace", ""),
        revision=_text(given, "revision", ""),
        lambda_event=event,
        debug=given.get("debug", False) is True,
    )
    ours = config.limits
    limits = RequestLimits(
        concurrency=int(number(given.get("concurrency", ours.concurrency), "concurrency", 1, MAX_CONCURRENCY)),
        timeout=number(given.get("timeout", ours.timeout), "timeout", 0.001, MAX_TIMEOUT, whole=False),
        max_request_bytes=int(
            number(given.get("maxRequestBytes", ours.max_request_bytes), "maxRequestBytes", 0, MAX_BODY)
        ),
        start_timeout=number(
            given.get("startTimeout", ours.start_timeout), "startTimeout", 0.001, MAX_TIMEOUT, whole=False
        ),
    )
    files = _texts(given, "files")
    for path in files:
        if not safe(path):
            raise RuntimeSettingInvalid(f"files: {path!r} is not a path inside the code directory")
    return Order(target, limits, files, _texts(given, "env"))


def _text(given: dict[str, Any], name: str, default: str) -> str:
    value = given.get(name, default)
    if not isinstance(value, str):
        raise RuntimeSettingInvalid(f"{name}: {value!r} is not text")
    return value or default


def _texts(given: dict[str, Any], name: str) -> dict[str, str]:
    value = given.get(name, {})
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise RuntimeSettingInvalid(f"{name}: not an object of texts")
    return value
