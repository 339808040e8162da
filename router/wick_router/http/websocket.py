"""Where WebSocket frames begin and end (RFC 6455, 5.2), so that a close frame can be put between two of them.

Pure. Only frame heads are read; payloads are skipped.
"""

SHORT = 2
"""Bytes of the shortest head: flags and opcode, mask bit and length."""
LENGTH, MASKED = 0x7F, 0x80
EXTENDED = {126: 2, 127: 8}
"""Further bytes of the length, by what the short length says."""
GOING_AWAY = (1001).to_bytes(2)


class FrameCounter:
    """One direction of a WebSocket."""

    def __init__(self, *, masked: bool) -> None:
        self._masked = masked
        self._head = b""
        self._skip = 0

    @property
    def at_boundary(self) -> bool:
        """Whether the next byte begins a frame."""
        return not self._head and not self._skip

    def feed(self, data: bytes) -> None:
        """Follow the bytes of this direction."""
        at, end = 0, len(data)
        while at < end:
            if self._skip:
                step = min(self._skip, end - at)
                self._skip -= step
                at += step
                continue
            wanted = _head_size(self._head)
            step = min(wanted - len(self._head), end - at)
            self._head += data[at : at + step]
            at += step
            if len(self._head) == _head_size(self._head):
                self._skip = _payload_size(self._head)
                self._head = b""

    def close_frame(self, mask: bytes = b"\0\0\0\0") -> bytes:
        """A close frame with code 1001, masked if this direction is the client's."""
        if not self._masked:
            return b"\x88\x02" + GOING_AWAY
        return b"\x88\x82" + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(GOING_AWAY))


def _head_size(head: bytes) -> int:
    """Bytes of the frame's head, as far as `head` tells."""
    if len(head) < SHORT:
        return SHORT
    return SHORT + EXTENDED.get(head[1] & LENGTH, 0) + (4 if head[1] & MASKED else 0)


def _payload_size(head: bytes) -> int:
    size = head[1] & LENGTH
    extended = EXTENDED.get(size, 0)
    return int.from_bytes(head[SHORT : SHORT + extended]) if extended else size
