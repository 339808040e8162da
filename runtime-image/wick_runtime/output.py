"""Standard output of the user's code: one JSON line a line, with the request it belongs to; plain on a terminal.

`print`, `sys.stdout.write`, `sys.stderr` and `logging` all end here. The request is known by a context variable, so
concurrent requests in one event loop, and threads started through `asyncio.to_thread`, are not mixed up. Each line
goes out with one `write`, unbuffered: what was printed before a crash is there.
"""

import io
import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from wick_runtime.context import Context, Identity, current

LONGEST_PARTIAL = 65536
"""Characters of an unfinished line that are kept before they go out as one."""


class Lines(io.TextIOBase):
    """A text stream that makes log lines."""

    def __init__(self, fd: int, level: str, identity: Identity, *, plain: bool) -> None:
        super().__init__()
        self._fd = fd
        self._level = level
        self._identity = identity
        self._plain = plain
        self.partial = ""

    @property
    def encoding(self) -> str:  # type: ignore[override] # the base's is read-only too, but a plain attribute
        return "utf-8"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return self._plain

    def write(self, text: str) -> int:
        context = current.get()
        holder: Context | Lines = self if context is None else context
        *lines, rest = (holder.partial + text).split("\n")
        if len(rest) > LONGEST_PARTIAL:
            lines, rest = [*lines, rest], ""
        holder.partial = rest
        self.emit(lines, self._level, context)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:  # type: ignore[override] # text, where the base says buffers
        for line in lines:
            self.write(line)

    def finish(self, context: Context) -> None:
        """The request is over: its unfinished line goes out."""
        if context.partial:
            rest, context.partial = context.partial, ""
            self.emit([rest], self._level, context)

    def emit(self, lines: Iterable[str], level: str, context: Context | None, **extra: object) -> None:
        """Write log lines."""
        for line in lines:
            data = line if self._plain else self._json(line, level, context, extra)
            write(self._fd, data.encode("utf-8", "backslashreplace") + b"\n")

    def _json(self, line: str, level: str, context: Context | None, extra: dict[str, object]) -> str:
        record: dict[str, object] = {"time": stamp(time.time()), "level": level, "message": line}
        record |= {name: value for name, value in self._identity._asdict().items() if value}
        if context is not None:
            record["requestId"] = context.request_id
            if context.traceparent:
                record["traceparent"] = context.traceparent
        return json.dumps(record | extra, ensure_ascii=False)


def capture(identity: Identity) -> Lines:
    """Take over standard output, standard error and logging of this process."""
    plain = os.isatty(1)
    out = Lines(1, "info", identity, plain=plain)
    sys.stdout = out
    sys.stderr = Lines(1, "error", identity, plain=plain)
    if "logging" in sys.modules:
        _take_records(out)
    else:
        sys.meta_path.insert(0, _Logging(out))
    return out


class _Logging:
    """Sets `logging` up when the function's code imports it: 5 ms that others do not pay."""

    def __init__(self, lines: Lines) -> None:
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


def _take_records(lines: Lines) -> None:
    from wick_runtime.records import take  # noqa: PLC0415 - imports logging

    take(lines)


def stamp(seconds: float) -> str:
    """UTC time as RFC 3339 with milliseconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03}Z"


def write(fd: int, data: bytes) -> None:
    """All of `data`, in one call where the kernel takes it so."""
    while data:
        data = data[os.write(fd, data) :]
