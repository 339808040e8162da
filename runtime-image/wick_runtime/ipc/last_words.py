"""The last lines that a process printed while it loaded the code, in shared memory.

One that ends by ``os._exit`` or a signal can tell nothing afterwards; what it said before is there for the control
process. One writer at a time: the process that loads.
"""

import mmap
from typing import Final

_SIZE: Final = 2048
"""Bytes kept."""
_HEAD: Final = 2
LINES: Final = 3
"""Lines that are told."""


class LastWords:
    """Anonymous shared memory, made before the first fork."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _HEAD + _SIZE)
        self._text = b""
        self.listening = False
        """Whether this process loads the code now."""

    def begin(self) -> None:
        """This process loads the code from here on."""
        self._text = b""
        self._memory[:_HEAD] = bytes(_HEAD)
        self.listening = True

    def add(self, line: str) -> None:
        text = self._text = (self._text + line[:_SIZE].encode("utf-8", "backslashreplace") + b"\n")[-_SIZE:]
        self._memory[_HEAD : _HEAD + len(text)] = text
        self._memory[:_HEAD] = len(text).to_bytes(_HEAD)

    def told(self) -> str:
        """The last lines, from oldest to newest, with a bar between; empty where nothing was printed."""
        size = int.from_bytes(self._memory[:_HEAD])
        lines = self._memory[_HEAD : _HEAD + size].decode("utf-8", "replace").splitlines()
        return " | ".join([line for line in lines if line.strip()][-LINES:])
