"""A local copy of one kind of object, kept current by list and watch.

```
        +--------------------- Gone (410), or the server cannot stream lists -------------------+
        v                                                                                       |
    LISTING  --- end of list: what was known and is not listed is `deleted` --->  WATCHING -----+
        ^  ^                                                                       |   ^
        |  +--- broken before the end: back-off, list again                        |   |
        |                                                                          v   |
        +--------------------------------------------------------- broken, silent or timed out:
                                                                   back-off, go on from the last version
```

A 429 lengthens the back-off by the Retry-After it names: a server whose watch cache is not ready yet refuses watches.

The list is streamed (``sendInitialEvents``, Kubernetes 1.34) where the server can, else read in pages. Either way
an object that vanished while nobody watched is reported as deleted, which is what kopf's index and most clients
forget. A watch that is silent for longer than bookmarks allow is taken for dead.

Callbacks run in the event loop, one at a time, in the order of the server's events; they must not block. One that
raises, or an object that cannot be decoded, is told to `Cluster.fault`, and the next object follows.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from wick_kube.cluster import Cluster
from wick_kube.error import ApiError, ApiRefused, ApiUnreachable, Gone, Status, from_status
from wick_kube.resource import Resource
from wick_kube.stream import ObjectMetadata, event, lines, metadata, plain

log = logging.getLogger(__name__)

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

Address = tuple[str, str]
"""Namespace (empty for cluster kinds) and name."""

PAGE = 500
"""Objects a page of a list."""
WATCH_SECONDS = 300
"""A watch is asked to end after this long, so that load spreads over API servers again."""
SILENCE_SECONDS = 90.0
"""Bookmarks come about once a minute; a watch without a byte for longer is dead."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0
"""Seconds between attempts: doubled each time, each drawn from the upper half of the range."""
LONGEST_RETRY_AFTER = 30.0
"""Seconds of a server's Retry-After that are waited at most, beside the pause of one's own. kube-apiserver asks for 1
to 30 while its watch cache is not ready (cacher/util.go; KEP-4568)."""

_INITIAL_EVENTS_END = "k8s.io/initial-events-end"


class Listener(Protocol[T_contra]):
    """What a reflector's owner wants to be told."""

    def changed(self, address: Address, new: T_contra, old: T_contra | None) -> None:
        """An object appeared (`old` is None) or has another resource version."""

    def deleted(self, address: Address, old: T_contra) -> None:
        """An object is gone, or no longer matches the selector."""


class _Page(msgspec.Struct, frozen=True):
    metadata: dict[str, Any]
    items: list[msgspec.Raw] | None = None


def _retry_after(error: Exception) -> float:
    """Seconds a throttling server asks to be left alone, within bounds."""
    asked = error.retry_after if isinstance(error, ApiError) else None
    return min(asked or 0.0, LONGEST_RETRY_AFTER)


class Reflector(Generic[T]):
    """Keeps `objects` equal to what the server has; `run` it in a task of its owner's."""

    def __init__(  # noqa: PLR0913 - what to watch is three selectors
        self,
        cluster: Cluster,
        resource: Resource,
        listener: Listener[T],
        *,
        namespace: str | None = None,
        labels: str = "",
        fields: str = "",
        decode: Callable[[msgspec.Raw], T] = plain,  # type: ignore[assignment]  # T is dict when decode is left out
    ) -> None:
        self._cluster = cluster
        self._resource = resource
        self._path = resource.path(namespace)
        self._selectors = {k: v for k, v in (("labelSelector", labels), ("fieldSelector", fields)) if v}
        self._listener = listener
        self._decode = decode
        self._objects: dict[Address, tuple[ObjectMetadata, T]] = {}
        self._version = ""
        self._streams_lists = True
        self._heard = False
        self.synced = asyncio.Event()
        """Set from the end of the first list on."""
        self.in_touch = False
        """Whether a watch is open right now; False while retrying."""
        self.trouble = ""
        """What the last attempt failed with, until one succeeds."""

    def get(self, address: Address) -> T | None:
        """The object at an address, as last seen."""
        held = self._objects.get(address)
        return held[1] if held else None

    def values(self) -> Iterator[T]:
        """Every object, as last seen."""
        return (value for _, value in self._objects.values())

    def __len__(self) -> int:
        return len(self._objects)

    async def run(self) -> None:
        """List and watch until cancelled."""
        pause = FIRST_PAUSE
        while True:
            self._heard = False
            asked = 0.0
            try:
                if self._version:
                    await self._watch()
                else:
                    await self._list()
            except Gone:
                self._version = ""
            except (ApiError, ApiUnreachable, TimeoutError, msgspec.DecodeError) as error:
                # Every failure has the same answer: try again. A list has no effects, so that is safe.
                self.in_touch = False
                self._failed(error)
                asked = _retry_after(error)
            if self._heard:
                pause = FIRST_PAUSE
            else:
                self.in_touch = False
                await asyncio.sleep(asked + pause * random.uniform(0.5, 1))  # noqa: S311 - spreads load, hides nothing
                pause = min(2 * pause, LONGEST_PAUSE)

    def _failed(self, error: Exception) -> None:
        """Tell of an outage once; a watch that breaks off after it brought something is daily life."""
        if not self._heard:
            if not self.trouble:
                log.warning("Cannot list and watch %s, trying again: %s", self._path, error)
            self.trouble = str(error) or type(error).__name__

    async def _list(self) -> None:
        if self._streams_lists:
            try:
                await self._follow({"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}, listing=set())
            except ApiRefused:
                self._streams_lists = False
            else:
                return
        await self._list_in_pages()

    async def _list_in_pages(self) -> None:
        query = {**self._selectors, "limit": str(PAGE)}
        listed: set[Address] = set()
        while True:
            body = await self._cluster.call("GET", self._path, query=query, timeout=60)
            page = msgspec.json.decode(body, type=_Page)
            for raw in page.items or ():
                listed.add(self._put(raw, metadata(raw)))
            if not (more := page.metadata.get("continue")):
                break
            query["continue"] = more
        self._end_of_list(listed, page.metadata["resourceVersion"])

    async def _watch(self) -> None:
        await self._follow({"resourceVersion": self._version}, listing=None)

    async def _follow(self, query: dict[str, str], listing: set[Address] | None) -> None:
        query = {
            **self._selectors,
            **query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        async with self._cluster.stream(self._path, query) as chunks, aclosing(lines(chunks)) as split:
            self.in_touch = listing is None
            while True:
                async with asyncio.timeout(SILENCE_SECONDS):
                    line = await anext(split, None)
                if line is None:
                    return
                listing = self._take(line, listing)
                self._heard = True
                self.trouble = ""

    def _take(self, line: bytes, listing: set[Address] | None) -> set[Address] | None:
        """Digest one event; returns the addresses listed so far, or None once the list is complete."""
        change = event(line)
        if change.type == "ERROR":
            raise from_status(msgspec.json.decode(change.object, type=Status))
        about = metadata(change.object)
        if change.type == "BOOKMARK":
            if listing is not None and (about.annotations or {}).get(_INITIAL_EVENTS_END) == "true":
                self._end_of_list(listing, about.resource_version)
                return None
        elif change.type == "DELETED":
            self._drop((about.namespace, about.name))
        else:
            address = self._put(change.object, about)
            if listing is not None:
                listing.add(address)
        if listing is None:
            self._version = about.resource_version
        return listing

    def _put(self, raw: msgspec.Raw, about: ObjectMetadata) -> Address:
        address = (about.namespace, about.name)
        held = self._objects.get(address)
        if held and held[0].uid != about.uid:
            # Deleted and made anew while nobody watched: two objects, not one that changed.
            self._drop(address)
            held = None
        if held is None or held[0].resource_version != about.resource_version:
            try:
                new = self._decode(raw)
                self._objects[address] = (about, new)
                self._listener.changed(address, new, held[1] if held else None)
            except Exception as error:  # noqa: BLE001 - a border: one object's trouble must not end the mirror of all
                self._cluster.fault(self._resource, address, error)
        return address

    def _drop(self, address: Address) -> None:
        held = self._objects.pop(address, None)
        if held:
            try:
                self._listener.deleted(address, held[1])
            except Exception as error:  # noqa: BLE001 - a border, as above
                self._cluster.fault(self._resource, address, error)

    def _end_of_list(self, listed: set[Address], version: str) -> None:
        for address in [known for known in self._objects if known not in listed]:
            self._drop(address)
        self._version = version
        self._heard = True
        self.trouble = ""
        self.in_touch = True
        self.synced.set()
