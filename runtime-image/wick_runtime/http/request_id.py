"""Ids for requests that came without one."""

import os


def request_ids() -> "Ids":
    """Ids of this process, unlike those of any other."""
    return Ids(os.urandom(8).hex())


class Ids:
    """A random prefix a process and a number a request."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._last = 0

    def next(self) -> bytes:
        """The next id, in ASCII."""
        self._last += 1
        return f"{self._prefix}{self._last:08x}".encode()
