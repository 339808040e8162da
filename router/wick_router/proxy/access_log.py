"""The access log: a share of the requests as JSON lines, written by a thread so that no request waits for it."""

import queue
import random
import threading
import time
from datetime import UTC, datetime
from typing import IO

import msgspec

BACKLOG = 10_000
"""Lines that may wait for a slow reader; more are dropped, and counted."""


class AccessEntry(msgspec.Struct, rename="camel", kw_only=True):
    """One request; durations in milliseconds. Keys that `wick_api.logs` has too mean the same here."""

    time: str = ""
    """When it was written: RFC 3339, milliseconds."""
    level: str = "info"
    logger: str = "access"
    namespace: str = ""
    method: str
    path: str
    status: int
    duration: float
    function: str
    request_id: str
    client: str
    queued: float = 0.0
    connect: float = 0.0
    attempts: int = 1
    instance: str = ""
    listener: str = "internal"
    """``public`` where the request came to a public listener; left out for internal ones."""


class AccessLog:
    """See the module. `share` is between 0 and 1, `backlog` counts lines."""

    def __init__(self, share: float, stream: IO[bytes], backlog: int = BACKLOG) -> None:
        self._share = share
        self._stream = stream
        self._lines: queue.Queue[AccessEntry | None] = queue.Queue(backlog)
        self._thread = threading.Thread(target=self._write, name="access-log", daemon=True)
        self._random = random.Random()  # noqa: S311 - sampling
        self.dropped = 0
        self._thread.start()

    def sampled(self) -> bool:
        """Whether the next settled request is to be written."""
        return self._random.random() < self._share

    def write(self, entry: AccessEntry) -> None:
        """Queue the entry, with the time; drops and counts it where the backlog is full."""
        entry.time = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        try:
            self._lines.put_nowait(entry)
        except queue.Full:
            self.dropped += 1

    def stop(self) -> None:
        """Write what is left, within a second."""
        try:
            self._lines.put(None, timeout=1)
        except queue.Full:
            return
        self._thread.join(timeout=1)

    def _write(self) -> None:
        encoder = msgspec.json.Encoder()
        while (line := self._lines.get()) is not None:
            self._stream.write(encoder.encode(line) + b"\n")
            if self._lines.empty():
                self._stream.flush()
