"""Standard output of the user's code: `print`, `sys.stdout.write`, `sys.stderr` and `logging` end in `LineStream`."""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from wick_runtime.ipc.last_words import LastWords
from wick_runtime.run.context import Identity
from wick_runtime.run.lines import LineStream


def capture(identity: Identity, words: LastWords | None = None) -> None:
    """Take over standard output, standard error and logging of this process."""
    plain = os.isatty(1)
    out = LineStream(1, "info", identity, plain=plain, words=words)
    sys.stdout = out
    sys.stderr = LineStream(1, "error", identity, plain=plain, name="<stderr>", words=words)
    if "logging" in sys.modules:
        _take_records(out)
    else:
        sys.meta_path.insert(0, _Logging(out))


class _Logging:
    """Sets `logging` up when the function's code imports it: 5 ms that others do not pay."""

    def __init__(self, lines: LineStream) -> None:
        self._lines = lines

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Called by the import system."""
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                run(module)
                _take_records(self._lines)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign] # of this one import
        return spec


def _take_records(lines: LineStream) -> None:
    from wick_runtime.run.records import take  # noqa: PLC0415 - imports logging

    take(lines)
