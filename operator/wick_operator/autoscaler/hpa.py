"""HorizontalPodAutoscalers that scale a Function's Deployment: mirrored, so that they are seen before they write."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from wick_api import names
from wick_api.names import Key
from wick_kube.cluster import Cluster
from wick_kube.reflector import Address, Reflector
from wick_kube.resource import AUTOSCALERS


class _Target(Struct):
    kind: str = ""
    name: str = ""


class _Spec(Struct, rename="camel"):
    scale_target_ref: _Target = msgspec.field(default_factory=_Target)


class _Autoscaler(Struct):
    spec: _Spec = msgspec.field(default_factory=_Spec)


_DECODER = msgspec.json.Decoder(_Autoscaler)


def _autoscaler(raw: Raw) -> _Autoscaler:
    return _DECODER.decode(raw)


class CompetingHpas:
    """Which HPA, if any, scales which Deployment."""

    def __init__(self, cluster: Cluster, namespaces: Iterable[str | None] = (None,)) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._watchers: list[Callable[[Key], None]] = []
        self._mirrors: list[Reflector[Any]] = [
            Reflector(cluster, AUTOSCALERS, self, namespace=namespace, decode=_autoscaler) for namespace in namespaces
        ]

    @property
    def mirrors(self) -> Iterable[Reflector[Any]]:
        """To be run by the owner."""
        return self._mirrors

    def watch(self, told: Callable[[Key], None]) -> None:
        """`told` hears of each Deployment, by its namespace and name, that has another HPA than before, or none."""
        self._watchers.append(told)

    def _tell(self, target: tuple[str, str]) -> None:
        for told in self._watchers:
            told(Key(*target))

    def of(self, key: Key) -> str | None:
        """Name of the HPA that scales a Function's Deployment, empty for none, None while that is not known."""
        if not all(mirror.synced.is_set() for mirror in self._mirrors):
            return None
        return self._names.get((key.namespace, names.deployment(key)), "")

    def changed(self, address: Address, new: _Autoscaler, old: _Autoscaler | None) -> None:
        """Told by the mirror."""
        if old is not None:
            self.deleted(address, old)
        target = new.spec.scale_target_ref
        if target.kind == "Deployment":
            self._names[address[0], target.name] = address[1]
            self._tell((address[0], target.name))

    def deleted(self, address: Address, old: _Autoscaler) -> None:
        """Told by the mirror."""
        target = (address[0], old.spec.scale_target_ref.name)
        if self._names.get(target) == address[1]:
            del self._names[target]
            self._tell(target)
