"""Which cluster a run of the end-to-end tests uses: a pure choice from what the machine offers."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Cluster(Enum):
    GIVEN = "the cluster KUBECONFIG_E2E names"
    KIND = "kind on Docker"
    NODE = "a node of its own on this machine"
    NONE = "none"


@dataclass(frozen=True)
class Offer:
    """What this machine has."""

    kubeconfig: Path | None
    docker: bool
    linux: bool
    root: bool
    go: bool


@dataclass(frozen=True)
class Choice:
    cluster: Cluster
    because: str


def choose(offer: Offer) -> Choice:
    """KUBECONFIG_E2E, then kind where a Docker daemon answers, then our own node where root runs Linux, then none."""
    if offer.kubeconfig:
        return Choice(Cluster.GIVEN, f"KUBECONFIG_E2E is {offer.kubeconfig}")
    if not offer.go:
        return Choice(Cluster.NONE, "Go is missing, which builds Kubernetes or kind; and KUBECONFIG_E2E is not set")
    if offer.docker:
        return Choice(Cluster.KIND, "a Docker daemon answers")
    if offer.linux and offer.root:
        return Choice(Cluster.NODE, "no Docker daemon answers, and this is root on Linux")
    lacking = "root" if offer.linux else "Linux"
    return Choice(Cluster.NONE, f"KUBECONFIG_E2E is not set, no Docker daemon answers, and this is not {lacking}")


def look() -> Offer:
    """What this machine has, now."""
    given = os.environ.get("KUBECONFIG_E2E")
    return Offer(
        kubeconfig=Path(given) if given else None,
        docker=_docker_answers(),
        linux=sys.platform == "linux",
        root=os.geteuid() == 0,
        go=shutil.which("go") is not None,
    )


def _docker_answers() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    return subprocess.run([docker, "info"], capture_output=True, check=False, timeout=20).returncode == 0
