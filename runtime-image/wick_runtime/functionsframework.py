"""Functions written for Google's functions-framework, on the Flask application it builds around them.

The module is imported once, by us; its decorators have registered the function by then, and `_configure_app` mounts
it. (`create_app`, the public door, would import the module a second time.)
"""

import importlib
from typing import Any

from wick_runtime.load import LoadError
from wick_runtime.wsgi import App


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
