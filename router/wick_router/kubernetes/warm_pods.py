"""Which warm pods are free, as this router sees it; no I/O.

Two routers may see the same pod as free: the pod itself decides. For one function they choose the same pod
(`wick_api.warm.choose`) and share it, so that a start from zero makes one instance whatever the number of routers; for
different functions they seldom want the same one.
"""

from collections.abc import Callable, Mapping
from typing import Any

from wick_api import names, warm
from wick_api.names import Key
from wick_kube.reflector import Address

Manifest = Mapping[str, Any]
Pool = tuple[str, str]
"""Namespace and runtime."""


class WarmPods:
    """Listens to the pods that carry the pool's label.

    `unready` is told of each that has an address, of a pool without a free pod, before its kubelet calls it ready.
    """

    def __init__(self, unready: Callable[[Manifest], None] = lambda _: None) -> None:
        self._unready = unready
        self._pools: dict[Pool, dict[str, Manifest]] = {}
        self._taken: set[str] = set()
        self._starting: set[str] = set()
        """Pods with an address that their kubelets do not call ready yet."""
        self._waiting: set[str] = set()
        """Those of them that said themselves that they wait."""

    def changed(self, _: Address, new: Manifest, _old: Manifest | None) -> None:
        """A warm pod appeared or changed."""
        pool = self._pools.setdefault(_pool(new), {})
        uid = new["metadata"]["uid"]
        free = warm.is_free(new)
        if free or (uid in self._waiting and warm.has_address(new)):
            pool[uid] = new
            if free:  # from here on its kubelet's word counts
                self._starting.discard(uid)
                self._waiting.discard(uid)
            return
        pool.pop(uid, None)
        if warm.has_address(new):
            self._starting.add(uid)
            if self.any(_pool(new)) is None:
                self._unready(new)

    def waits(self, pod: Manifest) -> None:
        """The pod itself said that it waits, sooner than its kubelet."""
        uid = pod["metadata"]["uid"]
        if uid in self._starting:
            self._waiting.add(uid)
            self._pools.setdefault(_pool(pod), {})[uid] = pod

    def deleted(self, _: Address, old: Manifest) -> None:
        """A warm pod is gone, or was claimed by somebody."""
        uid = old["metadata"]["uid"]
        self._pools.get(_pool(old), {}).pop(uid, None)
        self._taken.discard(uid)
        self._starting.discard(uid)
        self._waiting.discard(uid)

    def take(self, pool: Pool, key: Key) -> Manifest | None:
        """A free pod for this function, not offered again unless it is `put_back`; None where there is none."""
        free = [pod for uid, pod in self._pools.get(pool, {}).items() if uid not in self._taken]
        if not free:
            return None
        chosen = warm.choose(free, key)
        self._taken.add(chosen["metadata"]["uid"])
        return chosen

    def put_back(self, pod: Manifest) -> None:
        """The pod was not claimed after all."""
        self._taken.discard(pod["metadata"]["uid"])

    def any(self, pool: Pool) -> Manifest | None:
        """Some free pod, to compare with, without taking it."""
        return next((pod for uid, pod in self._pools.get(pool, {}).items() if uid not in self._taken), None)


def _pool(pod: Manifest) -> Pool:
    metadata = pod["metadata"]
    return metadata["namespace"], metadata["labels"][names.POOL]
