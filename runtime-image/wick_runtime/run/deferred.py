"""Modules that asyncio and uvloop import and seldom use, put off until somebody does.

A third of an event loop's import is `ssl`, `inspect`, `logging` and `traceback`: paid by each start, held by each
instance, and used by few functions. While the loop's modules are imported, a stand-in takes their names; then it
leaves `sys.modules`, so that the function's own ``import ssl`` finds the real one. What imported a stand-in keeps it,
and it passes on to the real module whatever it has not got itself::

    asyncio.base_events.ssl --> stand-in: SSLError, SSLContext, ... of the C module `_ssl`
                                    |  anything else
                                    v
                                real module, imported now

What a stand-in has itself are the names that are looked up, not used, at import. Exceptions and base classes are the
real ones, of `_ssl`; functions import the real module when they are called. A Python that looks up more than these
imports more, and works.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any, Final

_FUNCTIONS: Final = {
    "inspect": ("iscoroutinefunction", "isgenerator"),
    "linecache": (),
    "logging": (),
    "ssl": ("create_default_context",),
    "traceback": ("extract_stack", "extract_tb", "format_list", "print_stack", "walk_stack"),
}
"""What passes for each module's functions."""
_SSL: Final = (
    "MemoryBIO", "SSLCertVerificationError", "SSLEOFError", "SSLError", "SSLSyscallError", "SSLWantReadError",
    "SSLWantWriteError", "SSLZeroReturnError", "SSL_ERROR_SYSCALL", "SSL_ERROR_WANT_READ", "SSL_ERROR_WANT_WRITE",
)  # fmt: skip


class Deferred(ModuleType):
    """Stands for the module of its name."""

    def __getattr__(self, name: str) -> Any:
        if name == "__path__":  # asked by the import system: none of these is a package with parts to come
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


class DeferredLogger:
    """The logger of a name, found when it is used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module("logging").getLogger(self._name), name)

    def addHandler(self, handler: object) -> None:  # noqa: N802 - logging's name
        """Drop the handler that `concurrent.futures` adds for processes without any: `output.capture` has one."""


class DeferredStack:
    """`traceback.StackSummary`, of which only `extract` is used."""

    @staticmethod
    def extract(*args: Any, **named: Any) -> Any:
        return import_module("traceback").StackSummary.extract(*args, **named)


@contextmanager
def deferred() -> Iterator[None]:
    """Whatever is imported inside gets stand-ins for the modules that were not there yet."""
    standing = [_stand_in(name) for name in _FUNCTIONS if name not in sys.modules]
    sys.modules.update({module.__name__: module for module in standing})
    try:
        yield
    finally:
        for module in standing:
            if sys.modules.get(module.__name__) is module:
                del sys.modules[module.__name__]


def _stand_in(name: str) -> Deferred:
    module = Deferred(name)
    known = vars(module)
    known.update({function: _forward(name, function) for function in _FUNCTIONS[name]})
    if name == "ssl":
        _ssl = import_module("_ssl")
        known.update({each: getattr(_ssl, each) for each in _SSL})
        known["CertificateError"] = _ssl.SSLCertVerificationError
        known["SSLContext"] = _ssl._SSLContext  # noqa: SLF001 - the base of `ssl.SSLContext`, for isinstance
    elif name == "logging":
        known.update(DEBUG=10, getLogger=DeferredLogger, StreamHandler=object)
    elif name == "traceback":
        known["StackSummary"] = DeferredStack
    return module


def _forward(module: str, function: str) -> Callable[..., Any]:
    def call(*args: Any, **named: Any) -> Any:
        return getattr(import_module(module), function)(*args, **named)

    return call
