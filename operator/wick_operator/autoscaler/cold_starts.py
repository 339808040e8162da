"""Tells each Function of its last start from zero: `status.lastColdStart`.

    each PERIOD: every router's counts --what differs--> functions --ask those routers--> the newest --> a merge patch

At rest nothing differs and nothing is written. A storm of starts costs at most `AT_ONCE` writes a `PERIOD`; of what
waits longer only the last start is told, which is all the status holds. What was counted before this operator began
to look is not told again.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from wick_api import metric
from wick_api.fault import Faults
from wick_api.function import FunctionMetadata
from wick_api.names import Key
from wick_autoscaler import body
from wick_autoscaler.decisions import exposition
from wick_kube.error import ApiConflict, ApiError, ApiNotFound, ApiUnreachable
from wick_kube.resource import FUNCTIONS
from wick_operator.leader.fenced_writer import FencedWriter

log = logging.getLogger(__name__)

PERIOD = 5.0
"""Seconds between two looks."""
AT_ONCE = 20
"""Functions told a look."""
PATIENCE = 2.0
"""Seconds a router may take to answer."""
LARGEST = 64 * 1024 * 1024
"""Bytes of one router's answer; more is an error."""

_COUNTS = f"{metric.COLD_STARTS}{{".encode()


class ReportedColdStart(Struct, frozen=True):
    """A router's account of a function's last start from zero."""

    milliseconds: float
    path: str
    ago: float
    """Seconds since the instance was ready."""


class _Function(Struct, rename="camel"):
    last_cold_start: ReportedColdStart | None = None


def counts(page: bytes) -> frozenset[bytes]:
    """The lines that count starts from zero."""
    return frozenset(line for line in page.split(b"\n") if line.startswith(_COUNTS))


def started(before: frozenset[bytes], now: frozenset[bytes]) -> set[Key]:
    """Functions one router has started from zero between two looks."""
    samples = [exposition.read(line) for line in now - before]
    return {Key(each.labels.get("namespace", ""), each.labels.get("function", "")) for each in samples if each}


def status(last: ReportedColdStart, now: datetime) -> dict[str, Any]:
    """`status.lastColdStart`."""
    when = (now - timedelta(seconds=last.ago)).astimezone(UTC)
    return {
        "milliseconds": round(last.milliseconds),
        "path": last.path,
        "time": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


class ColdStarts:
    """`targets` are URLs of the routers' metrics, `known` tells of a Function, `wall` is the time."""

    def __init__(
        self,
        targets: Callable[[], Iterable[str]],
        writer: FencedWriter,
        known: Callable[[Key], FunctionMetadata | None],
        wall: Callable[[], datetime],
        faults: Faults | None = None,
    ) -> None:
        self._faults = faults or Faults()
        self._targets, self._writer, self._known, self._wall = targets, writer, known, wall
        self._counted: dict[str, frozenset[bytes]] = {}
        self._began = False
        self._waiting: dict[Key, set[str]] = {}
        """Functions to tell, and the routers that know; no more of them than routers know."""

    async def run(self, period: float = PERIOD) -> None:
        """Look and tell until cancelled."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session:
            while True:
                await self.look(session)
                await asyncio.sleep(period)

    async def look(self, session: aiohttp.ClientSession) -> None:
        """One look at every router, and what it has to tell."""
        urls = sorted(set(self._targets()))
        pages = await asyncio.gather(*(_get(session, url, {"name[]": metric.COLD_STARTS}) for url in urls))
        for url, page in zip(urls, pages, strict=True):
            self._take(url, page)
        self._counted = {url: lines for url, lines in self._counted.items() if url in urls}
        self._began = self._began or bool(self._counted)
        due = list(self._waiting)[:AT_ONCE]
        await asyncio.gather(*(self._tell(session, key, self._waiting.pop(key)) for key in due))

    def _take(self, url: str, page: bytes | None) -> None:
        """A router seen for the first time tells of the past, unless it is younger than this operator."""
        if page is None:
            return
        now = counts(page)
        if self._began or url in self._counted:
            for key in started(self._counted.get(url, frozenset()), now):
                self._waiting.setdefault(key, set()).add(url)
        self._counted[url] = now

    async def _tell(self, session: aiohttp.ClientSession, key: Key, routers: set[str]) -> None:
        with self._faults.border("report of a start from zero", key):
            await self._write(session, key, routers)

    async def _write(self, session: aiohttp.ClientSession, key: Key, routers: set[str]) -> None:
        before = self._known(key)
        last = await _last(session, key, routers)
        now = self._known(key)
        if last is None or before is None or now is None or now.uid != before.uid:
            return  # routers forget a function's starts with it: these may be a predecessor's
        change = {
            "metadata": {"resourceVersion": now.resource_version},
            "status": {"lastColdStart": status(last, self._wall())},
        }
        try:
            await self._writer.patch(FUNCTIONS, key.namespace, key.name, change, subresource="status")
        except ApiNotFound:
            return  # the Function was just deleted
        except ApiConflict:
            self._waiting.setdefault(key, set()).update(routers)  # it changed meanwhile, or is another one
        except (ApiError, ApiUnreachable, TimeoutError) as error:
            log.warning("status.lastColdStart not written: %s", error, extra={"function": str(key)})
            self._waiting.setdefault(key, set()).update(routers)


async def _last(session: aiohttp.ClientSession, key: Key, routers: Iterable[str]) -> ReportedColdStart | None:
    """The newest of what these routers know."""
    page = f"/api/v1/functions/{key.namespace}/{key.name}"
    texts = await asyncio.gather(*(_get(session, url.removesuffix("/metrics") + page, {}) for url in sorted(routers)))
    known = [_read(text) for text in texts if text]
    return min((each for each in known if each), key=lambda each: each.ago, default=None)


def _read(text: bytes) -> ReportedColdStart | None:
    try:
        return msgspec.json.decode(text, type=_Function).last_cold_start
    except msgspec.DecodeError as error:
        log.warning("a router's answer cannot be read: %s", error)
        return None


async def _get(session: aiohttp.ClientSession, url: str, query: Mapping[str, str]) -> bytes | None:
    """An answer's body; None where there is none: the next look asks again."""
    try:
        async with session.get(url, params=query) as response:
            response.raise_for_status()
            return await body.read(response, LARGEST)
    except (aiohttp.ClientError, TimeoutError, body.TooLarge):
        return None  # the autoscaler, which asks the same routers each second, says so in the log
