"""Tell the autoscaler at once when a queue grows faster than it scrapes.

A function is mentioned when its first request waits and whenever its queue has doubled since; but while a first
instance is being started, which is the router's own work, only when that one will not be enough for those who wait: a
look of the autoscaler costs a small node more than a start from the warm pool. Mentions are gathered
for `GATHER` seconds and sent by one thread, one message at a time, to every operator the DNS name resolves to
(followers ignore it). Nothing here can delay or fail a request: the scrape a second later tells the same.
"""

import asyncio
import http.client
import json
import logging
import socket
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from wick_api.names import Key

log = logging.getLogger(__name__)

GATHER = 0.01
"""Seconds."""
TIMEOUT = 1.0
"""Seconds one operator may take."""
MAX_OPERATORS = 8
"""Addresses told at most; there are rarely more than three."""


class QueueNotifier:
    """Decides who is mentioned, and sends it. `told` hears of it in this process, for the local platform."""

    def __init__(self, host: str, port: int, told: Callable[[Key], None] | None = None) -> None:
        self._host, self._port, self._told = host, port, told
        self._mentioned: set[Key] = set()
        self._sending = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="poke")
        self._tasks: set[asyncio.Task[None]] = set()
        self.outcomes: Counter[str] = Counter()

    def waiting(self, key: Key, depth: int, mentioned: int, *, enough: bool) -> int:
        """One more request of this function waits; returns the depth to hand in as `mentioned` the next time.

        `depth` and `mentioned` count requests: now, and when the function was last mentioned. `enough`: the instance
        that is being started will do for all of them.
        """
        if depth <= 1:
            mentioned = 0
        if depth <= 2 * mentioned or not depth or enough:
            return mentioned
        self._mention(key)
        return depth

    def _mention(self, key: Key) -> None:
        if self._told is not None:
            self._told(key)
        if self._host:
            self._mentioned.add(key)
            if not self._sending:
                self._sending = True
                task = asyncio.get_running_loop().create_task(self._send())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._mentioned:
                await asyncio.sleep(GATHER)
                keys, self._mentioned = self._mentioned, set()
                self.outcomes += await loop.run_in_executor(self._thread, post, self._host, self._port, keys)
        finally:
            self._sending = False

    async def stop(self) -> None:
        """Forget what is not sent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._thread.shutdown(wait=False, cancel_futures=True)


def post(host: str, port: int, keys: set[Key]) -> Counter[str]:
    """Send the message to every operator; counts what became of it."""
    body = json.dumps({"functions": sorted(str(key) for key in keys)})
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        log.debug("poke: %s does not resolve: %s", host, error)
        return Counter(("unresolved",))
    addresses = sorted({str(address[4][0]) for address in found})[:MAX_OPERATORS]
    return Counter(_post_one(address, port, body) for address in addresses)


def _post_one(address: str, port: int, body: str) -> str:
    connection = http.client.HTTPConnection(address, port, timeout=TIMEOUT)
    try:
        connection.request("POST", "/poke", body, {"Content-Type": "application/json"})
        connection.getresponse().read()
    except (OSError, http.client.HTTPException) as error:
        log.debug("poke: %s:%d: %s", address, port, error)
        return "failed"
    finally:
        connection.close()
    return "sent"
