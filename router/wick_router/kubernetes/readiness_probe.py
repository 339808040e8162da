"""Asks new warm pods of an empty pool whether they wait, because their kubelets may take two seconds to say so.

A kubelet probes a pod when it begins to start it, in vain, and then every two seconds; the runtime is up in between.
Only pods of a pool without a free one are asked: for others nobody waits.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

from wick_kube import evidence

Manifest = Mapping[str, Any]

PAUSE = 0.05
"""Seconds between two questions to one pod."""
PATIENCE = 5.0
"""Seconds for which a pod is asked; its kubelet tells the rest."""
AT_ONCE = 50
"""Pods asked at a time; of more, the kubelets tell."""


class EarlyReadiness:
    """At most one task for each pod; owned here and ended by `close`. `waits` is told of those that wait."""

    def __init__(self, session: aiohttp.ClientSession, waits: Callable[[Manifest], None]) -> None:
        self._session, self._waits = session, waits
        self._asked: dict[str, asyncio.Task[None]] = {}

    def ask(self, pod: Manifest) -> None:
        """The pod has an address."""
        uid = pod["metadata"]["uid"]
        if uid not in self._asked and len(self._asked) < AT_ONCE:
            task = asyncio.create_task(self._ask(pod), name=f"ask {uid}")
            self._asked[uid] = task
            task.add_done_callback(lambda _: self._asked.pop(uid, None))

    async def close(self) -> None:
        """End every question under way."""
        tasks = list(self._asked.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, pod: Manifest) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while (await evidence.readyz(self._session, pod)).get("state") != "pool":  # noqa: ASYNC110 - another process
                    await asyncio.sleep(PAUSE)
        except TimeoutError:
            return
        self._waits(pod)
