"""The last lines each function printed: shown in the terminal, kept for ``wick logs --local``."""

import json
from collections import deque
from collections.abc import Callable

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


def readable(line: str) -> str:
    """One line of the runtime's JSON log as a person reads it; anything else as it is."""
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
    return f"{shown}{message}" + (f"\n{detail}" if detail else "")
