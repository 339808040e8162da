"""Log lines from a text stream: one JSON line a line, with the request it belongs to; plain on a terminal.

The request is known by a context variable, so concurrent requests in one event loop, and threads started through
`asyncio.to_thread`, are not mixed up. Each line goes out with one `write`, unbuffered: what was printed before a crash
is there.
"""

import codecs
import io
import json
import os
import time
from typing import Any, Final

from wick_runtime.ipc.last_words import LastWords
from wick_runtime.run.context import Context, Identity, PartialLine, current

LONGEST_LINE: Final = 65536
"""Characters of a line that are kept; of a longer one the log has the beginning, and how much was cut."""


class LineStream(io.TextIOWrapper):
    """A text stream that makes log lines: whole as `sys.stdout` is, whose every member libraries may ask for."""

    mode = "w"

    def __init__(
        self,
        fd: int,
        level: str,
        identity: Identity,
        *,
        plain: bool,
        name: str = "<stdout>",
        words: LastWords | None = None,
    ) -> None:
        super().__init__(
            ByteStream(self, fd, name, plain=plain),
            encoding="utf-8",
            errors="backslashreplace",
            newline="",
            line_buffering=True,
            write_through=True,
        )
        self._fd = fd
        self._level = level
        self._identity = identity
        self._plain = plain
        self._words = words
        self._partial = PartialLine()
        """Of what belongs to no request."""

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        context = current.get()
        self._take(text, self._unfinished(context), context)
        return len(text)

    def write_bytes(self, data: bytes) -> None:
        """What is written to `buffer`; a character may come in two pieces."""
        context = current.get()
        partial = self._unfinished(context)
        data = partial.undecoded + data
        text, used = codecs.utf_8_decode(data, "backslashreplace", False)  # noqa: FBT003 - the module's signature
        partial.undecoded = data[used:]
        self._take(text, partial, context)

    def detach(self) -> Any:
        """The binary stream; this one stays usable, for whatever has a reference to it."""
        return self.buffer

    def close(self) -> None:
        """Stays open: what else would have the process's last words?"""

    def finish(self) -> None:
        """The process is over: an unfinished line goes out."""
        self.end(self._partial, None)

    def end(self, partial: PartialLine, context: Context | None) -> None:
        """A line ends here."""
        text = partial.text + partial.undecoded.decode("utf-8", "backslashreplace")
        cut, partial.text, partial.cut, partial.undecoded = partial.cut, "", 0, b""
        if text:
            self.emit(text, self._level, context, cut)

    def emit(self, text: str, level: str, context: Context | None, cut: int = 0, **extra: object) -> None:
        """Write one log line, from whose end `cut` characters are missing already."""
        cut += max(len(text) - LONGEST_LINE, 0)
        line = f"{text[:LONGEST_LINE]}… ({cut} characters cut)" if cut else text
        if self._words is not None and self._words.listening:
            self._words.add(line)
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

    def _unfinished(self, context: Context | None) -> PartialLine:
        if context is None:
            return self._partial
        lines = context.unfinished
        if lines is None:
            lines = context.unfinished = {}
        if self not in lines:
            lines[self] = PartialLine()
        return lines[self]

    def _take(self, text: str, partial: PartialLine, context: Context | None) -> None:
        first, *others = text.split("\n")
        if others:
            begun, cut, partial.text, partial.cut = partial.text, partial.cut, "", 0
            self.emit(begun + first, self._level, context, cut)
            *whole, first = others
            for line in whole:
                self.emit(line, self._level, context)
        room = LONGEST_LINE - len(partial.text)
        partial.text += first[:room]
        partial.cut += max(len(first) - room, 0)


def finish(context: Context) -> None:
    """The request is over: its unfinished lines go out."""
    streams, context.unfinished = context.unfinished or {}, None
    for stream, partial in streams.items():
        stream.end(partial, context)


class ByteStream(io.BufferedIOBase):
    """`buffer` of a `LineStream`: unbuffered, and never closed."""

    mode = "wb"

    def __init__(self, lines: LineStream, fd: int, name: str, *, plain: bool) -> None:
        super().__init__()
        self._lines = lines
        self._fd = fd
        self._plain = plain
        self.name = name
        self.raw = self

    def write(self, data: Any) -> int:
        whole = bytes(data)
        self._lines.write_bytes(whole)
        return len(whole)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return self._plain

    def close(self) -> None:
        """As `LineStream.close`."""


def stamp(seconds: float) -> str:
    """UTC time as RFC 3339 with milliseconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03}Z"


def write(fd: int, data: bytes) -> None:
    """All of `data`, in one call where the kernel takes it so."""
    while data:
        data = data[os.write(fd, data) :]
