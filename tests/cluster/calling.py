"""Calling functions over HTTP: one at a time, many at once, and a steady load."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

WITHIN = 120.0  # seconds for one call, cold start included


@dataclass(frozen=True)
class Answer:
    """What came back, and when (`time.monotonic`)."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    at: float
    took: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def cold(self) -> bool:
        return "kubewick-cold-start" in self.headers

    def __repr__(self) -> str:
        return f"<{self.status} in {self.took:.3f} s: {self.body[:300]!r}>"


def call(
    url: str, *, method: str | None = None, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """One request on a connection of its own; a broken connection is an `OSError` or `http.client.HTTPException`."""
    parts = urlsplit(url)
    started = time.monotonic()
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=WITHIN)) as connection:
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method or ("GET" if body is None else "POST"), path, body, dict(headers or {}))
        response = connection.getresponse()
        lower = {name.lower(): value for name, value in response.getheaders()}
        content = response.read()
    now = time.monotonic()
    return Answer(response.status, lower, content, now, now - started)


def at_once(count: int, one: Callable[[int], Answer]) -> list[Answer]:
    """`one(0)` to `one(count - 1)`, started together."""
    with ThreadPoolExecutor(count) as pool:
        gate = threading.Barrier(count)

        def started(number: int) -> Answer:
            gate.wait()
            return one(number)

        return list(pool.map(started, range(count)))


@dataclass
class Load:
    """What a steady load has been answered so far; broken connections count as status 0."""

    answers: list[Answer] = field(default_factory=list)

    def statuses(self) -> Counter[int]:
        return Counter(answer.status for answer in list(self.answers))

    def bodies(self) -> set[bytes]:
        return {answer.body for answer in list(self.answers)}

    def failures(self) -> list[Answer]:
        return [answer for answer in list(self.answers) if answer.status != 200]

    def success(self) -> float:
        """Share of 200, 0 to 1."""
        return self.statuses()[200] / max(1, len(self.answers))


@contextmanager
def load(one: Callable[[], Answer], *, clients: int = 1, rate: float | None = None) -> Iterator[Load]:
    """While inside, `clients` threads call again and again; `rate`: calls a second of all together, at most."""
    stop = threading.Event()
    seen = Load()

    def client() -> None:
        while not stop.is_set():
            started = time.monotonic()
            try:
                seen.answers.append(one())
            except (OSError, http.client.HTTPException) as error:
                now = time.monotonic()
                seen.answers.append(Answer(0, {}, repr(error).encode(), now, now - started))
            if rate:
                stop.wait(max(0.0, clients / rate - (time.monotonic() - started)))

    with ThreadPoolExecutor(clients) as pool:
        running = [pool.submit(client) for _ in range(clients)]
        try:
            yield seen
        finally:
            stop.set()
            for each in running:
                each.result()
