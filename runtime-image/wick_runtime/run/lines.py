"""Log lines from a text stream: one JSON line a line, with the request it belongs to; plain on a terminal.

The request is known by a context variable, so concurrent requests in one event loop, and threads started through
`asyncio.to_thread`, are not mixed up. Each line goes out with one `write`, unbuffered: what was printed before a crash
is there.
"""

import io
import json
import os
import time
from collections.abc import Iterable

from wick_runtime.run.context import Context, Identity, current

LONGEST_PARTIAL = 65536
"""Characters of an unfinished line that are kept before they go out as one."""


class LineStream(io.TextIOBase):
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
        holder: Context | LineStream = self if context is None else context
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


def stamp(seconds: float) -> str:
    """UTC time as RFC 3339 with milliseconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03}Z"


def write(fd: int, data: bytes) -> None:
    """All of `data`, in one call where the kernel takes it so."""
    while data:
        data = data[os.write(fd, data) :]
