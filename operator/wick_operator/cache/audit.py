"""What kopf does not tell: Functions that vanished while it had to list anew. And the slow look at everything.

Every `resync` seconds the Functions are listed, and those that are known but not there any more are forgotten. Over
the same time each known Function is wished for once, evenly spread.
"""

import asyncio
import logging
from collections.abc import Callable

import msgspec
from msgspec import Struct

from wick_api.names import Key
from wick_kube.cluster import Cluster
from wick_kube.error import ApiError, ApiUnreachable
from wick_kube.resource import FUNCTIONS
from wick_operator import metrics
from wick_operator.cache.store import Store

log = logging.getLogger(__name__)

_PAGE = 500


class _Metadata(Struct):
    name: str = ""
    namespace: str = ""
    uid: str = ""


class _Item(Struct):
    metadata: _Metadata


class _ListMeta(Struct):
    continue_: str = msgspec.field(default="", name="continue")


class _Page(Struct):
    metadata: _ListMeta
    items: list[_Item] = []


_page = msgspec.json.Decoder(_Page)


class CacheAudit:
    """Keeps the view honest over time; `enqueue` asks for a reconcile."""

    def __init__(
        self, view: Store, cluster: Cluster, namespaces: tuple[str, ...], enqueue: Callable[[Key], None], resync: float
    ) -> None:
        self._view, self._cluster, self._enqueue, self._resync = view, cluster, enqueue, resync
        self._namespaces: tuple[str | None, ...] = namespaces or (None,)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look_at_all())
            group.create_task(self._find_vanished())

    async def _look_at_all(self) -> None:
        while True:
            keys = list(self._view.functions)
            metrics.FUNCTIONS.set(len(keys))
            if not keys:
                await asyncio.sleep(1)
            for key in keys:
                await asyncio.sleep(self._resync / len(keys))
                self._enqueue(key)

    async def _find_vanished(self) -> None:
        while True:
            await asyncio.sleep(self._resync)
            try:
                await self.forget_vanished()
            except (ApiError, ApiUnreachable) as error:
                log.warning("audit: %s", error)

    async def forget_vanished(self) -> None:
        """List what exists and forget what does not."""
        before = {key: entry.function.metadata.uid for key, entry in self._view.functions.items()}
        existing: set[str] = set()
        for namespace in self._namespaces:
            existing |= await self._uids(namespace)
        for key, uid in before.items():
            if uid not in existing:
                log.warning("vanished unseen", extra={"function": str(key)})
                self._view.gone(key, uid)

    async def _uids(self, namespace: str | None) -> set[str]:
        query, found = {"limit": str(_PAGE)}, set[str]()
        while True:
            page = _page.decode(await self._cluster.call("GET", FUNCTIONS.path(namespace), query=query, timeout=60))
            found |= {item.metadata.uid for item in page.items}
            if not page.metadata.continue_:
                return found
            query["continue"] = page.metadata.continue_
