"""Heads of plain answers, remembered by their very bytes, so that the parser is asked once for each.

Plain: a counted body, all of it in the same read, keep-alive, nothing said to the router. When the same bytes come
again at the beginning of an answer, with exactly that much body behind them, the parser would say the same.
"""

from typing import NamedTuple

KNOWN_HEADS, KNOWN_BYTES = 64, 2048
"""How many heads of answers are remembered for an instance, and how long each may be."""


class CachedHead(NamedTuple):
    """What the parser found in the head of a plain answer."""

    status: int
    framing: bytes
    lines: list[bytes]
    length: int
    """Bytes of the body."""
    request_id: bytes | None = None
    """The function's own, if it has one."""


class KnownHeads:
    """Those of one instance."""

    def __init__(self) -> None:
        self._heads: dict[bytes, CachedHead] = {}

    def find(self, data: bytes) -> CachedHead | None:
        """What is known of the answer that `data` is, from its first byte to its last."""
        end = data.find(b"\r\n\r\n") + 4
        known = self._heads.get(data[:end])
        return known if known is not None and len(data) - end == known.length else None

    def remember(self, data: bytes, plain: CachedHead) -> None:
        """Keep the head of an answer, if `data` is all of it."""
        end = data.find(b"\r\n\r\n") + 4
        if len(data) == end + plain.length and end <= KNOWN_BYTES:
            if len(self._heads) >= KNOWN_HEADS:
                self._heads.clear()
            self._heads[data[:end]] = plain

    def clear(self) -> None:
        """Forget all."""
        self._heads.clear()
