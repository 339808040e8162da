"""Events of the ``cloudevents`` package, for handlers whose parameter is annotated with its class, of 1.x or 2.x."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from types import MethodType
from typing import Any

from wick_runtime.forms.cloudevent import CloudEvent, NotAnEvent

Convert = Callable[[CloudEvent], Any]
"""From our event to what the handler takes; raises `NotAnEvent` where the package refuses the event."""


def conversion(handler: Callable[..., Any]) -> Convert:
    """By the annotation of the handler's first parameter; our own events where that names no class of the package."""
    kind = _annotation(handler)
    if not isinstance(kind, type) or kind.__module__.partition(".")[0] != "cloudevents":
        return lambda event: event
    create = getattr(kind, "create", None)  # 1.x, and what 2.x keeps of it; its own classes are made of datetimes

    def convert(event: CloudEvent) -> Any:
        attributes = dict(event.attributes)
        try:
            if create is not None:
                return create(attributes, event.data)
            if isinstance(attributes.get("time"), str):
                attributes["time"] = datetime.fromisoformat(attributes["time"])
            return kind(attributes, event.data)
        except Exception as error:  # the package's errors have other classes in each version
            raise NotAnEvent(f"the cloudevents package refuses the event: {error}") from error

    return convert


def _annotation(handler: Any) -> Any:
    function, own = handler, isinstance(handler, MethodType)
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    if isinstance(function, partial):
        function = function.func
    elif not hasattr(function, "__code__"):
        function, own = type(function).__call__, True
    code = getattr(function, "__code__", None)
    names = code.co_varnames[: code.co_argcount][1 if own else 0 :] if code is not None else ()
    try:
        found = function.__annotations__.get(names[0]) if names else None
    except NameError:  # from Python 3.14 on annotations are worked out now, and may name what is not there
        return None
    return _named(found, function.__globals__) if isinstance(found, str) else found


def _named(path: str, scope: dict[str, Any]) -> Any:
    """What a dotted name stands for; None where it is imported for type checkers only."""
    first, *rest = path.split(".")
    found = scope.get(first)
    for name in rest:
        found = getattr(found, name, None)
    return found
