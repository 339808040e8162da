"""Which adapter calls which form of handler. Each is imported only for a function that has that form."""

import sys
from typing import TYPE_CHECKING, Any

from wick_runtime.call.interface import AIO, Form, Interface
from wick_runtime.forms import native
from wick_runtime.run.async_handlers import AsyncApplication
from wick_runtime.run.handler_process import Handle

if TYPE_CHECKING:
    from wick_runtime.run.load import LoadedCode

# ruff: noqa: PLC0415 - the point of this module


def registered(name: str) -> str:
    """What decorated a function: ``functions_framework``, its ``functions_framework.aio``, or nothing (empty)."""
    module = sys.modules.get("functions_framework._function_registry")
    if module is None or name not in getattr(module, "REGISTRY_MAP", {}):
        return ""
    return AIO if name in getattr(module, "ASGI_FUNCTIONS", ()) else "functions_framework"


def in_loop(loaded: "LoadedCode", form: Form) -> AsyncApplication:
    """For the event loop of an asynchronous worker."""
    if form.interface in (Interface.ASGI, Interface.FUNCTIONS_FRAMEWORK):
        from wick_runtime.forms import asgi, functionsframework

        aio = form.interface is Interface.FUNCTIONS_FRAMEWORK
        app = functionsframework.asynchronous(loaded.handler) if aio else loaded.handler
        lifespan = asgi.Lifespan(app)
        call = asgi.in_loop(app, lifespan.state)
        return AsyncApplication(call, lifespan.startup, lifespan.shutdown, asgi.PARTING)
    if form.interface is Interface.CLOUDEVENT:
        from wick_runtime.forms import cloudevent_handlers

        return AsyncApplication(cloudevent_handlers.in_loop(loaded.handler, form))
    return AsyncApplication(native.in_loop(loaded.handler, form))


def in_process(loaded: "LoadedCode", form: Form, name: str, lambda_event: str = "") -> Handle:
    """For a handler process; `name` is the handler's attribute, `lambda_event` what a Lambda handler is to get."""
    handler: Any = loaded.handler
    if form.interface is Interface.WSGI:
        from wick_runtime.forms import wsgi

        return wsgi.in_process(handler)
    if form.interface is Interface.FUNCTIONS_FRAMEWORK:
        from wick_runtime.forms import functionsframework, wsgi

        return wsgi.in_process(functionsframework.application(handler, name))
    if form.interface is Interface.LAMBDA:
        from wick_runtime.forms import awslambda

        return awslambda.in_process(handler, lambda_event or "url")
    if form.interface is Interface.CLOUDEVENT:
        from wick_runtime.forms import cloudevent_handlers

        return cloudevent_handlers.in_process(handler, form)
    return native.in_process(handler, form)
