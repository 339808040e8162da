"""The last lines each function printed: shown in the terminal, kept for ``wick logs --local``."""

import json
from collections import deque
from collections.abc import Callable, Sequence

from wick_api.names import Key

KEPT = 1000
"""Lines a function; at most 64 MB each in the worst case, some 100 kB in the usual one."""


class Lines:
    """Log lines by function, oldest dropped first."""

    def __init__(self, show: Callable[[Key, str], None]) -> None:
        self._show = show
        self._kept: dict[Key, deque[str]] = {}
        self._total: dict[Key, int] = {}

    def add(self, key: Key, line: str) -> None:
        """Take one line in and show it."""
        self._kept.setdefault(key, deque(maxlen=KEPT)).append(line)
        self._total[key] = self._total.get(key, 0) + 1
        self._show(key, line)

    def since(self, key: Key, number: int) -> tuple[int, list[str]]:
        """Lines after the first `number`, and how many there have been: the `number` for the next call."""
        kept, total = self._kept.get(key, deque()), self._total.get(key, 0)
        new = min(max(0, total - number), len(kept))
        return total, list(kept)[len(kept) - new :]


class StartOutput:
    """What one start prints, less what is only the last failed start over again: a retry that fails alike is silent.

    A line is held back as long as all lines so far are those of `before`.
    """

    def __init__(self, show: Callable[[str], None], before: Sequence[str]) -> None:
        self._show, self._before = show, before
        self._lines: list[str] = []
        self._held: list[str] = []
        self._repeats = True
        self._starting = True

    @property
    def lines(self) -> tuple[str, ...]:
        """As people read them, so without times and process numbers."""
        return tuple(self._lines)

    def add(self, line: str) -> None:
        """Take one line in."""
        if self._starting and len(self._lines) < KEPT:
            self._repeats = self._repeats and readable(line) == next(iter(self._before[len(self._lines) :]), None)
            self._lines.append(readable(line))
        else:
            self._repeats = False
        if self._repeats:
            self._held.append(line)
        else:
            self._release()
            self._show(line)

    def started(self) -> None:
        """It did not fail: nothing is held back any longer."""
        self._release()
        self._starting = False

    def failed(self) -> None:
        """Drop what is held when it is all that the last one said."""
        if len(self._held) < len(self._before):
            self._release()
        self._held.clear()
        self._starting = False

    def _release(self) -> None:
        held, self._held = self._held, []
        for line in held:
            self._show(line)


def readable(line: str, *, request: bool = False) -> str:
    """One line of the runtime's JSON log as a person reads it, with the `request`'s id; anything else as it is."""
    if not line.startswith("{"):
        return line
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    message = entry.get("message", entry.get("msg")) if isinstance(entry, dict) else None
    if message is None:
        return line
    level = str(entry.get("level", "")).lower()
    shown = "" if level in ("", "info") else f"{level}: "
    detail = entry.get("traceback") or entry.get("exception") or ""
    of = f" [{entry['requestId']}]" if request and entry.get("requestId") else ""
    first, newline, rest = (f"{message}\n{detail}" if detail else message).partition("\n")
    return f"{shown}{first}{of}{newline}{rest}"
