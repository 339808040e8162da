"""What the Kubernetes backend is told by its environment.

| variable | meaning | default |
|---|---|---|
| `WICK_KUBERNETES_NAMESPACES` | comma-separated namespaces to serve | all |
| `WICK_KUBERNETES_POOL_KEY` | the secret from which warm pods' tokens are derived | none: no warm pool |
| `WICK_KUBERNETES_KUBECONFIG` | kubeconfig file, to run outside a cluster | the pod's service account |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, kw_only=True)
class KubernetesConfig:
    """See the module."""

    namespaces: tuple[str, ...] = ()
    kubeconfig: str | None = None
    pool_key: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read what is set."""
        text = environment.get("WICK_KUBERNETES_NAMESPACES", "")
        return cls(
            namespaces=tuple(item.strip() for item in text.split(",") if item.strip()),
            pool_key=environment.get("WICK_KUBERNETES_POOL_KEY", ""),
            kubeconfig=environment.get("WICK_KUBERNETES_KUBECONFIG") or None,
        )
