"""What `logging` records become: lines of `output.Lines`. Imported with `logging`, by whoever imports that first."""

import logging

from wick_runtime.run.context import current
from wick_runtime.run.lines import LineStream


class Handler(logging.Handler):
    """Sends records to `LineStream`."""

    def __init__(self, lines: LineStream) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except (TypeError, ValueError):  # arguments that do not fit their format: show them rather than lose them
            text = f"{record.msg!r} {record.args!r}"
        self._lines.emit([text], record.levelname.lower(), current.get(), logger=record.name)


def take(lines: LineStream) -> None:
    """Send what everybody logs from now on to `lines`."""
    logging.basicConfig(handlers=[Handler(lines)], level=logging.INFO, format="%(message)s", force=True)
