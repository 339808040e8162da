"""Which adapter calls which form of handler. Each is imported only for a function that has that form."""

import sys

from wick_runtime import native
from wick_runtime.inline import Call
from wick_runtime.interface import Form
from wick_runtime.load import Loaded
from wick_runtime.process import Handle


def registered(name: str) -> str:
    """The kind of a function that `functions_framework` decorated, or an empty string."""
    module = sys.modules.get("functions_framework._function_registry")
    return str(getattr(module, "REGISTRY_MAP", {}).get(name, "")) if module is not None else ""


def in_loop(loaded: Loaded, form: Form) -> Call:
    """For the event loop of an asynchronous worker."""
    return native.in_loop(loaded.handler, form)


def in_process(loaded: Loaded, form: Form) -> Handle:
    """For a handler process."""
    return native.in_process(loaded.handler, form)
