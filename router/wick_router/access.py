"""The access log: a share of the requests as JSON lines, written by a thread so that no request waits for it."""

import queue
import random
import threading
import time
from typing import IO, TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from wick_router.exchange import Exchange

BACKLOG = 10_000
"""Lines that may wait for a slow reader; more are dropped, and counted."""


class Line(msgspec.Struct, omit_defaults=True, rename="camel"):
    """One request; times in milliseconds."""

    time: float
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


class AccessLog:
    """See the module. `share` is between 0 and 1, `backlog` counts lines."""

    def __init__(self, share: float, stream: IO[bytes], backlog: int = BACKLOG) -> None:
        self._share = share
        self._stream = stream
        self._lines: queue.Queue[Line | None] = queue.Queue(backlog)
        self._thread = threading.Thread(target=self._write, name="access-log", daemon=True)
        self._random = random.Random()  # noqa: S311 - sampling
        self.dropped = 0
        self._thread.start()

    def log(self, exchange: "Exchange", now: float) -> None:
        """Note a settled request, perhaps."""
        if self._random.random() >= self._share:
            return
        line = Line(
            time=time.time(),
            method=exchange.method.decode("latin-1"),
            path=exchange.target.decode("latin-1"),
            status=exchange.status,
            duration=round((now - exchange.arrived) * 1000, 3),
            function=str(exchange.lane.key) if exchange.lane else "",
            request_id=exchange.request_id.decode("latin-1"),
            client=exchange.client.peer,
            queued=round(exchange.queued * 1000, 3),
            connect=round(exchange.connecting * 1000, 3),
            attempts=exchange.attempts,
            instance=exchange.served_by,
        )
        try:
            self._lines.put_nowait(line)
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
