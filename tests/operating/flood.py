"""A body without an end, sent to a port that takes small ones or none: what is kept of it, and what is answered."""

import socket
from pathlib import Path

PIECE = 64 * 1024
TOTAL = 64 * 1024 * 1024
BOUND = 24 * 1024 * 1024
"""Bytes a process may grow by meanwhile, buffers of both ends and a limit of 16 MiB included; a part of `TOTAL`."""


def flood(address: tuple[str, int] | str, line: str) -> int:
    """Send a chunked body of `TOTAL` bytes, as far as it is taken; the answer's status, 0 where there is none."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(5)
        sock.connect(address)
        sock.sendall(f"{line} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        piece = b"%x\r\n%b\r\n" % (PIECE, b"x" * PIECE)
        try:
            for _ in range(TOTAL // PIECE):
                sock.sendall(piece)
            sock.sendall(b"0\r\n\r\n")
        except OSError:  # it stops reading, or ends the connection: both bound what it keeps
            pass
        try:
            return int(sock.recv(65536).split()[1])
        except (OSError, IndexError):
            return 0


def forget_peak() -> None:
    """From now on `peak` tells of what comes."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """The most memory this process had, in bytes."""
    (line,) = [each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmHWM")]
    return int(line.split()[1]) * 1024
