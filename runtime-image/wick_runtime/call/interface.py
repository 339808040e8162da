"""Which form a handler has, found by looking at the object. Pure: nothing is called."""

from enum import StrEnum
from types import FunctionType, MethodType
from typing import Any, Final, NamedTuple


class Interface(StrEnum):
    """The forms a function can have; values of ``KUBEWICK_INTERFACE``."""

    NATIVE = "native"
    ASGI = "asgi"
    WSGI = "wsgi"
    CLOUDEVENT = "cloudevent"
    LAMBDA = "lambda"
    FUNCTIONS_FRAMEWORK = "functions-framework"


AIO: Final = "functions_framework.aio"
"""The decorators of asynchronous functions of functions-framework."""


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
    """`name` is the handler's attribute, `registered` the library that decorated it, if any."""
    if not callable(handler):
        raise Unfit(f"{name!r} is {type(handler).__name__}, not something to call")
    interface = _recognised(handler, name, registered) if wanted == "auto" else Interface(wanted)
    if interface is Interface.FUNCTIONS_FRAMEWORK and registered == AIO:
        return Form(interface, asynchronous=True, arity=3, streams=True)
    if interface in (Interface.WSGI, Interface.FUNCTIONS_FRAMEWORK, Interface.LAMBDA):
        return Form(interface, asynchronous=False, arity=2, streams=interface is Interface.WSGI)
    if interface is Interface.ASGI:
        return Form(interface, asynchronous=True, arity=3, streams=True)
    parameters = _parameters(handler)
    names = [p.name for p in parameters]
    if len(parameters) > 2:  # noqa: PLR2004 - request, context
        raise Unfit(f"{name!r} takes {len(names)} arguments ({', '.join(names)}); a handler takes request and context")
    streams = bool(parameters) and parameters[0].annotation == "StreamingRequest"
    return Form(interface, asynchronous=_asynchronous(handler), arity=len(parameters), streams=streams)


def _recognised(handler: Any, name: str, registered: str) -> Interface:
    if registered:
        return Interface.FUNCTIONS_FRAMEWORK
    parameters = _parameters(handler)
    names = tuple(p.name for p in parameters)
    if name.rpartition(".")[2] == "lambda_handler" or _is_lambda(handler, parameters):
        return Interface.LAMBDA
    if hasattr(handler, "wsgi_app") or (len(names) == 2 and names[1] == "start_response"):  # noqa: PLR2004 - PEP 3333's
        return Interface.WSGI
    if len(names) == 3 and (names == ("scope", "receive", "send") or _asynchronous(handler)):  # noqa: PLR2004 - ASGI's
        return Interface.ASGI
    if names and (names[0] in ("event", "cloud_event", "cloudevent") or parameters[0].annotation == "CloudEvent"):
        return Interface.CLOUDEVENT
    return Interface.NATIVE


_LAMBDA_LIBRARIES: Final = ("apig_wsgi", "aws_lambda_powertools", "chalice", "mangum")
"""Their handlers are theirs, whatever they are called and annotated with."""
_OBJECTS: Final = ("dict", "Dict", "Mapping", "LambdaEvent")


def _is_lambda(handler: Any, parameters: list["Parameter"]) -> bool:
    """By the library that made it, or by its annotations: an event that is a dict, or AWS's context."""
    maker = handler if type(handler) is FunctionType else type(handler)
    if str(getattr(maker, "__module__", "")).partition(".")[0] in _LAMBDA_LIBRARIES:
        return True
    if len(parameters) != 2 or _asynchronous(handler):  # noqa: PLR2004 - event, context
        return False
    event, context = parameters
    return context.annotation == "LambdaContext" or (event.name == "event" and event.annotation in _OBJECTS)


class Parameter(NamedTuple):
    """What matters of one."""

    name: str
    annotation: str = ""
    """Its last part: ``CloudEvent`` of ``cloudevents.http.CloudEvent``."""


_ANYTHING: Final = [Parameter("request"), Parameter("context")]
"""Of what takes any arguments, or will not say."""
_VARIADIC: Final = 0x04  # CO_VARARGS
_ASYNCHRONOUS: Final = 0x80 | 0x200  # CO_COROUTINE, CO_ASYNC_GENERATOR


def _parameters(handler: Any) -> list[Parameter]:
    """Positional parameters without defaults; those with one are the author's own, but for ``context``."""
    function, bound = (handler.__func__, 1) if type(handler) is MethodType else (handler, 0)
    return _plain(function)[bound:] if _is_plain(function) else _signature(handler)


def _is_plain(function: Any) -> bool:
    """Whether it is just what ``def`` made: then it can be read without `inspect`, which takes 8 ms to import."""
    return type(function) is FunctionType and not vars(function) and not function.__code__.co_flags & _VARIADIC


def _plain(function: Any) -> list[Parameter]:
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    required = len(names) - len(function.__defaults__ or ())
    annotations = _annotations(function)
    return [
        Parameter(name, _last(annotations.get(name, "")))
        for i, name in enumerate(names)
        if i < required or _is_context(i, name)
    ]


def _is_context(position: int, name: str) -> bool:
    return position == 1 and name == "context"


def _annotations(function: Any) -> dict[str, Any]:
    try:
        found: dict[str, Any] = function.__annotations__
    except NameError:  # from Python 3.14 on they are worked out now, and may name what is not there
        return {}
    return found


def _signature(handler: Any) -> list[Parameter]:
    import inspect  # noqa: PLC0415 - see `_is_plain`

    try:
        parameters = inspect.signature(handler).parameters.values()
    except (TypeError, ValueError, NameError):
        return _ANYTHING
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters):
        return _ANYTHING
    return [
        Parameter(p.name, "" if p.annotation is inspect.Parameter.empty else _last(p.annotation))
        for i, p in enumerate(p for p in parameters if p.kind in kinds)
        if p.default is inspect.Parameter.empty or _is_context(i, p.name)
    ]


def _last(annotation: Any) -> str:
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return text.partition("[")[0].rpartition(".")[2]


def _asynchronous(handler: Any) -> bool:
    if _is_plain(handler):
        return bool(handler.__code__.co_flags & _ASYNCHRONOUS)
    import inspect  # noqa: PLC0415 - see `_is_plain`

    for candidate in (handler, getattr(handler, "__call__", None)):  # noqa: B004 - an object's own async __call__
        found = inspect.unwrap(candidate) if callable(candidate) else candidate
        found = getattr(found, "func", found)  # functools.partial
        if inspect.iscoroutinefunction(found) or inspect.isasyncgenfunction(found):
            return True
    return False
