"""Where the routers are: their pods, mirrored."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from wick_api import names
from wick_kube.cluster import Cluster
from wick_kube.reflector import Address, Reflector
from wick_kube.resource import PODS

_LABELS = f"{names.PART_OF}=kubewick,{names.COMPONENT}=router"


class _Status(Struct, rename="camel"):
    phase: str = ""
    pod_ip: str = msgspec.field(name="podIP", default="")


class _Pod(Struct):
    status: _Status = msgspec.field(default_factory=_Status)


_DECODER = msgspec.json.Decoder(_Pod)


class _Quiet:
    """Nobody needs to be told: the loop asks each second."""

    def changed(self, address: Address, new: _Pod, old: _Pod | None) -> None:
        """Nothing to do."""

    def deleted(self, address: Address, old: _Pod) -> None:
        """Nothing to do."""


def _pod(raw: Raw) -> _Pod:
    return _DECODER.decode(raw)


class Routers:
    """All routers of one release's namespace that run, ready or not, draining ones too: each may hold requests."""

    def __init__(self, cluster: Cluster, namespace: str, port: int = names.ROUTER_ADMIN_PORT) -> None:
        self._port = port
        self._pods: Reflector[Any] = Reflector(
            cluster, PODS, _Quiet(), namespace=namespace, labels=_LABELS, decode=_pod
        )

    async def run(self) -> None:
        """Mirror until cancelled."""
        await self._pods.run()

    def targets(self) -> Iterable[str]:
        """URLs of their metrics."""
        hosts = [
            pod.status.pod_ip for pod in self._pods.values() if pod.status.phase == "Running" and pod.status.pod_ip
        ]
        return [f"http://{f'[{host}]' if ':' in host else host}:{self._port}/metrics" for host in sorted(hosts)]
