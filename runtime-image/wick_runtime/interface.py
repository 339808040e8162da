"""Which form a handler has, found by looking at the object. Pure: nothing is called."""

import inspect
from enum import StrEnum
from typing import Any, NamedTuple


class Interface(StrEnum):
    """The forms a function can have; values of ``KUBEWICK_INTERFACE``."""

    NATIVE = "native"
    ASGI = "asgi"
    WSGI = "wsgi"
    CLOUDEVENT = "cloudevent"
    LAMBDA = "lambda"
    FUNCTIONS_FRAMEWORK = "functions-framework"


class Form(NamedTuple):
    """How to call a handler."""

    interface: Interface
    asynchronous: bool
    """Runs in the worker's event loop; otherwise in a process of its own, one request at a time."""
    arity: int
    """Positional arguments to pass."""
    streams: bool = False
    """Wants the request's body as it arrives."""


class Unfit(Exception):
    """The object cannot be called as a handler; the message says why."""


def form(handler: Any, wanted: str, name: str, registered: str = "") -> Form:
    """`name` is the handler's attribute, `registered` its kind in functions-framework's registry, if it is there."""
    if not callable(handler):
        raise Unfit(f"{name!r} is {type(handler).__name__}, not something to call")
    interface = _recognised(handler, name, registered) if wanted == "auto" else Interface(wanted)
    if interface in (Interface.WSGI, Interface.FUNCTIONS_FRAMEWORK, Interface.LAMBDA):
        return Form(interface, asynchronous=False, arity=2, streams=interface is Interface.WSGI)
    if interface is Interface.ASGI:
        return Form(interface, asynchronous=True, arity=3, streams=True)
    parameters = _parameters(handler)
    names = [p.name for p in parameters]
    if len(parameters) > 2:  # noqa: PLR2004 - request, context
        raise Unfit(f"{name!r} takes {len(names)} arguments ({', '.join(names)}); a handler takes request and context")
    streams = bool(parameters) and _annotation(parameters[0]) == "StreamingRequest"
    return Form(interface, asynchronous=_asynchronous(handler), arity=len(parameters), streams=streams)


def _recognised(handler: Any, name: str, registered: str) -> Interface:
    if registered:
        return Interface.FUNCTIONS_FRAMEWORK
    if name.rpartition(".")[2] == "lambda_handler":
        return Interface.LAMBDA
    parameters = _parameters(handler)
    names = tuple(p.name for p in parameters)
    if hasattr(handler, "wsgi_app") or names == ("environ", "start_response"):
        return Interface.WSGI
    if len(names) == 3 and (names == ("scope", "receive", "send") or _asynchronous(handler)):  # noqa: PLR2004 - ASGI's
        return Interface.ASGI
    if names and (names[0] in ("event", "cloud_event", "cloudevent") or _annotation(parameters[0]) == "CloudEvent"):
        return Interface.CLOUDEVENT
    return Interface.NATIVE


def _parameters(handler: Any) -> list[inspect.Parameter]:
    """Positional parameters without defaults; those with one are the author's own."""
    try:
        signature = inspect.signature(handler)
    except (TypeError, ValueError):
        return [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in ("request", "context")]
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in signature.parameters.values()):
        return [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in ("request", "context")]
    positional = [p for p in signature.parameters.values() if p.kind in kinds]
    return [
        p for i, p in enumerate(positional) if p.default is inspect.Parameter.empty or (i == 1 and p.name == "context")
    ]


def _annotation(parameter: inspect.Parameter) -> str:
    found = parameter.annotation
    text = found if isinstance(found, str) else getattr(found, "__name__", "")
    return text.rpartition(".")[2]


def _asynchronous(handler: Any) -> bool:
    for candidate in (handler, getattr(handler, "__call__", None)):  # noqa: B004 - an object's own async __call__
        found = inspect.unwrap(candidate) if callable(candidate) else candidate
        found = getattr(found, "func", found)  # functools.partial
        if inspect.iscoroutinefunction(found) or inspect.isasyncgenfunction(found):
            return True
    return False
