"""Which adapter calls which form of handler. Each is imported only for a function that has that form."""

import sys
from typing import TYPE_CHECKING, Any

from wick_runtime import native
from wick_runtime.inline import Served
from wick_runtime.interface import AIO, Form, Interface
from wick_runtime.process import Handle

if TYPE_CHECKING:
    from wick_runtime.load import Loaded

# ruff: noqa: PLC0415 - the point of this module


def registered(name: str) -> str:
    """What decorated a function: ``functions_framework``, its ``functions_framework.aio``, or nothing (empty)."""
    module = sys.modules.get("functions_framework._function_registry")
    if module is None or name not in getattr(module, "REGISTRY_MAP", {}):
        return ""
    return AIO if name in getattr(module, "ASGI_FUNCTIONS", ()) else "functions_framework"


def in_loop(loaded: "Loaded", form: Form) -> Served:
    """For the event loop of an asynchronous worker."""
    if form.interface in (Interface.ASGI, Interface.FUNCTIONS_FRAMEWORK):
        from wick_runtime import asgi, functionsframework

        aio = form.interface is Interface.FUNCTIONS_FRAMEWORK
        app = functionsframework.asynchronous(loaded.handler) if aio else loaded.handler
        lifespan = asgi.Lifespan(app)
        call = asgi.in_loop(app, lifespan.state)
        return Served(call, lifespan.startup, lifespan.shutdown, asgi.PARTING)
    if form.interface is Interface.CLOUDEVENT:
        from wick_runtime import events

        return Served(events.in_loop(loaded.handler, form))
    return Served(native.in_loop(loaded.handler, form))


def in_process(loaded: "Loaded", form: Form, name: str) -> Handle:
    """For a handler process; `name` is the handler's attribute."""
    handler: Any = loaded.handler
    if form.interface is Interface.WSGI:
        from wick_runtime import wsgi

        return wsgi.in_process(handler)
    if form.interface is Interface.FUNCTIONS_FRAMEWORK:
        from wick_runtime import functionsframework, wsgi

        return wsgi.in_process(functionsframework.application(handler, name))
    if form.interface is Interface.LAMBDA:
        from wick_runtime import awslambda

        return awslambda.in_process(handler)
    if form.interface is Interface.CLOUDEVENT:
        from wick_runtime import events

        return events.in_process(handler, form)
    return native.in_process(handler, form)
