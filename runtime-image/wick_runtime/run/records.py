"""What `logging` records become: lines of `LineStream`. Imported with `logging`, by whoever imports that first."""

import logging
from typing import Any

from wick_runtime.run.context import current
from wick_runtime.run.lines import LineStream

PLAIN = "%(message)s"
"""Time, level and logger are members of the log line already."""


class Handler(logging.Handler):
    """Sends records to `LineStream`."""

    def __init__(self, lines: LineStream) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except RecursionError:  # as Python's handlers do
            raise
        except Exception as error:  # noqa: BLE001 - a call of `logging` raises nothing of what it formats
            text = _unformatted(record, error)
        self._lines.emit(text, record.levelname.lower(), current.get(), logger=record.name)


def _unformatted(record: logging.LogRecord, error: Exception) -> str:
    """What can be shown of a record whose arguments do not fit its format, or raise: better than to lose it."""
    try:
        return f"{record.msg!r} {record.args!r}"
    except Exception:  # noqa: BLE001 - the function's `__repr__`
        return f"{record.pathname}:{record.lineno}: a record that cannot be shown ({type(error).__name__})"


class BasicConfig:
    """`logging.basicConfig` of a process whose root logger has a handler already, ours.

    Python's does nothing then. The function's first call counts all the same, as in any program: `level`, `format`,
    `datefmt` and `style` become our handler's; what names a file, other handlers or another stream takes its place.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._python = logging.basicConfig
        self._done = False

    def __call__(self, **named: Any) -> None:
        root = logging.getLogger()
        if not named.get("force") and (self._done or root.handlers != [self._handler]):
            self._python(**named)  # which finds handlers, and leaves them alone
            return
        root.removeHandler(self._handler)
        try:
            self._python(**named if _elsewhere(named) else self._with_ours(named))
        except BaseException:
            root.addHandler(self._handler)
            raise
        self._done = True

    def _with_ours(self, named: dict[str, Any]) -> dict[str, Any]:
        self._handler.setFormatter(None)
        given = {name: value for name, value in named.items() if name not in ("stream", "filename", "handlers")}
        return {"format": PLAIN, **given, "handlers": [self._handler]}


def _elsewhere(named: dict[str, Any]) -> bool:
    """Whether a call wants its records elsewhere than on the standard streams."""
    stream = named.get("stream")
    other = stream is not None and not isinstance(stream, LineStream)
    return other or named.get("filename") is not None or named.get("handlers") is not None


def take(lines: LineStream) -> None:
    """Send what everybody logs from now on to `lines`."""
    handler = Handler(lines)
    logging.basicConfig(handlers=[handler], level=logging.INFO, format=PLAIN, force=True)
    logging.basicConfig = BasicConfig(handler)
