"""Collects demand: scrapes every router and aligns what they counted to one clock.

    Collector.collect --> GET <router>/metrics, all at once --> Reading (what changed) --> Axis (until when) --> Look

The loop (`wick_autoscaler.loop`) collects once a tick and decides from the `Look`. A router that does not answer holds
the counted time back for `AWAITED` seconds, and makes each `Look` incomplete until it is given up.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

import aiohttp
from msgspec import Struct

from wick_api import header
from wick_api.names import Key
from wick_autoscaler import body
from wick_autoscaler.decisions import exposition
from wick_autoscaler.decisions.clock_alignment import AWAITED, Axis
from wick_autoscaler.decisions.demand import SERIES, Change, Reading
from wick_autoscaler.decisions.exposition import CONTENT_TYPE

log = logging.getLogger(__name__)

_FILTER = [("name[]", name) for name in SERIES]
"""Query that asks a router for these series alone; an answer with others in it is read too."""


class Look(Struct, frozen=True):
    """What all routers counted, on our time axis."""

    since: float
    """Where the last look ended."""
    until: float
    """The moment by which all that answered are counted; what they know beyond it comes with the next look."""
    changes: Sequence[dict[Key, Change]]
    """By router."""
    complete: bool
    """All of them answered."""


class _Page(Struct, frozen=True):
    """One router's metrics, when they came, and when they were written by the router's own clock."""

    text: bytes
    came: float
    written: float | None


class _Router:
    """State of one router between two looks: its last counters and its place on the time axis."""

    __slots__ = ("axis", "reading")

    def __init__(self) -> None:
        self.axis, self.reading = Axis(), Reading()


def _written(headers: Mapping[str, str]) -> float | None:
    return exposition.value(headers.get(header.CLOCK, "").encode())


class Collector:
    """Scrapes the routers at `targets` and keeps of each what the next look is compared with.

    `session` bounds how long a router may take; `given_up` is the number of seconds after which a silent router holds
    nothing any more, `largest` the bytes of one router's metrics that are read.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        targets: Callable[[], Iterable[str]],
        clock: Callable[[], float],
        *,
        given_up: float,
        largest: int,
    ) -> None:
        self._session, self._targets, self._clock = session, targets, clock
        self._given_up, self._largest = given_up, largest
        self._routers: dict[str, _Router] = {}
        self._until = clock()
        """The moment up to which all routers are counted."""
        self._silent: dict[str, float] = {}
        """Routers that do not answer, and since when."""

    async def collect(self) -> Look:
        """Scrape all routers at once; one that does not answer makes the look incomplete."""
        urls = list(dict.fromkeys(self._targets()))
        pages = dict(zip(urls, await asyncio.gather(*(self._scrape(url) for url in urls)), strict=True))
        now = self._clock()
        self._silent = {url: self._silent.get(url, now) for url, page in pages.items() if page is None}
        lost = {url for url, since in self._silent.items() if now - since >= self._given_up}
        gone = [self._routers.pop(url) for url in list(self._routers) if url not in pages or url in lost]
        complete = len(self._silent) < len(pages) and self._silent.keys() <= lost
        read = [(self._router(url), page) for url, page in pages.items() if page is not None]
        moments = [router.axis.moment(page.came, page.written) for router, page in read]
        since = self._until
        if all(now - silent >= AWAITED for silent in self._silent.values()):
            self._until = max(since, min(moments, default=since))
        changes = [router.axis.left(router.reading.gone()) for router in gone]
        changes += [
            router.axis.take(router.reading.feed(page.text), moment, self._until)
            for (router, page), moment in zip(read, moments, strict=True)
        ]
        return Look(since, self._until, changes, complete)

    def _router(self, url: str) -> _Router:
        return self._routers.setdefault(url, _Router())

    async def _scrape(self, url: str) -> _Page | None:
        try:
            async with self._session.get(url, params=_FILTER, headers={"Accept": CONTENT_TYPE}) as response:
                response.raise_for_status()
                text = await body.read(response, self._largest)
                return _Page(text, self._clock(), _written(response.headers))
        except (aiohttp.ClientError, TimeoutError, body.TooLarge) as error:
            log.warning("router %s did not answer: %s", url, str(error) or type(error).__name__)
            return None
