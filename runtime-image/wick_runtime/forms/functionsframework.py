"""Functions written for Google's functions-framework, on the application it builds around them.

That is Flask's for plain ones and Starlette's for those of ``functions_framework.aio``. The module is imported once,
by us; its decorators have registered the function by then, and a private function mounts it. (`create_app` and
`create_asgi_app`, the public doors, would import the module a second time.)
"""

import importlib
from typing import Any

from wick_runtime.forms.wsgi import App
from wick_runtime.run.load import LoadError


def application(handler: Any, name: str) -> App:
    """The WSGI application around `handler`; raises `LoadError` where the framework is not there."""
    try:
        framework: Any = importlib.import_module("functions_framework")
        registry: Any = importlib.import_module("functions_framework._function_registry")
        execution: Any = importlib.import_module("functions_framework.execution_id")
        flask: Any = importlib.import_module("flask")
    except ImportError as error:
        raise LoadError(f"the interface functions-framework needs functions-framework and Flask: {error}") from error
    app = flask.Flask(name)
    app.register_error_handler(500, framework.crash_handler)
    app.wsgi_app = execution.WsgiMiddleware(app.wsgi_app)
    framework._configure_app(app, handler, registry.get_func_signature_type(name, None))  # noqa: SLF001 - see the module
    found: App = app
    return found


def asynchronous(handler: Any) -> Any:
    """The ASGI application around a function of ``functions_framework.aio``."""
    aio: Any = importlib.import_module("functions_framework.aio")
    registry: Any = importlib.import_module("functions_framework._function_registry")
    kind = registry.get_func_signature_type(handler.__name__, None)
    return aio._create_asgi_app_with_function(handler, kind, enable_id_logging=False)  # noqa: SLF001 - see the module
