"""The user's code: import it, find the handler in it, and say exactly what is wrong when that fails."""

import importlib
import os
import sys
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from wick_runtime.config import FunctionTarget


class LoadError(Exception):
    """The code cannot serve: the author's to mend."""

    def __init__(self, message: str, file: str = "", line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        """Relative to the code directory where it is inside."""
        self.line = line

    def report(self) -> dict[str, object]:
        """As the control port tells it."""
        return {"reason": "LoadFailed", "message": self.message, "file": self.file, "line": self.line}


class LoadedCode(NamedTuple):
    """A function's code in memory."""

    handler: Any
    init: Callable[[], Any] | None
    shutdown: Callable[[], Any] | None
    module: ModuleType


def load(target: FunctionTarget) -> LoadedCode:
    """Import the handler of `target`; raises `LoadError`."""
    module_name, _, attribute = target.handler.partition(":")
    if not os.path.isdir(target.code):  # noqa: PTH112 - pathlib costs 5 ms to import
        raise LoadError(f"there is no directory {target.code} with the function's code")
    if module_name in sys.modules:
        raise LoadError(f"the module name {module_name!r} is taken by Python or the runtime: rename the file")
    sys.path.insert(0, target.code)
    # Not `importlib.invalidate_caches`: from Python 3.12 on it imports `importlib.metadata` and 30 modules more, 20 ms.
    sys.path_importer_cache.pop(target.code, None)
    module = _import(module_name, target.code)
    handler = _attribute(module, attribute, module_name)
    owner: Any = module
    if isinstance(handler, type):
        owner = called(handler, target.code, f"{attribute}()")
        handler = _method(owner, attribute)
    return LoadedCode(handler, _hook(owner, "init"), _hook(owner, "shutdown"), module)


def called(function: Callable[[], Any], code: str, what: str) -> Any:
    """Call a piece of the user's code that loading needs; raises `LoadError`."""
    try:
        return function()
    except (Exception, SystemExit) as error:
        raise failure(error, code, f"{what} failed: ") from error


def failure(error: BaseException, code: str, prefix: str = "") -> LoadError:
    """Describe an exception of the user's code with the place nearest to it in their own files."""
    if isinstance(error, SyntaxError) and error.filename:
        return LoadError(f"{prefix}{type(error).__name__}: {error.msg}", short(error.filename, code), error.lineno or 0)
    import traceback  # noqa: PLC0415 - 3 ms that code without a fault does not need

    frames = traceback.extract_tb(error.__traceback__)
    root = os.path.join(os.path.realpath(code), "")  # noqa: PTH118 - pathlib costs 5 ms to import
    own = [frame for frame in frames if os.path.realpath(frame.filename).startswith(root)]
    text = f"{prefix}{type(error).__name__}: {error}".removesuffix(": ")
    if not own:
        return LoadError(text)
    return LoadError(text, short(own[-1].filename, code), own[-1].lineno or 0)


def _import(name: str, code: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            there = ", ".join(sorted(entry for entry in os.listdir(code) if entry[0] != ".")) or "nothing"  # noqa: PTH208 - pathlib costs 5 ms to import
            raise LoadError(f"no module {name!r} in {code}; there is {there}") from error
        raise failure(error, code) from error
    except (Exception, SystemExit) as error:
        raise failure(error, code) from error


def _attribute(module: ModuleType, path: str, module_name: str) -> Any:
    found: Any = module
    for name in path.split("."):
        if not hasattr(found, name):
            offered = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
            hint = f"; it has {', '.join(sorted(offered))}" if offered else ""
            file = short(getattr(module, "__file__", None) or module_name, sys.path[0])
            raise LoadError(f"{module_name!r} has no {path!r}{hint}", file)
        found = getattr(found, name)
    return found


def _method(instance: Any, name: str) -> Any:
    for attribute in ("handle", "__call__"):
        if callable(getattr(instance, attribute, None)):
            return getattr(instance, attribute)
    raise LoadError(f"class {name} has neither a method 'handle' nor '__call__'")


def _hook(owner: Any, name: str) -> Callable[[], Any] | None:
    found = getattr(owner, name, None)
    return found if isinstance(found, FunctionType | MethodType | BuiltinFunctionType) else None


def short(file: str, code: str) -> str:
    """The name its author knows: a mounted ConfigMap's files are links into a folder with a date for a name."""
    if file.startswith(os.path.join(code, "")):  # noqa: PTH118 - pathlib costs 5 ms to import
        return os.path.relpath(file, code)
    real, root = os.path.realpath(file), os.path.realpath(code)
    return os.path.relpath(real, root) if real.startswith(os.path.join(root, "")) else file  # noqa: PTH118 - as above
