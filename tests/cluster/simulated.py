"""Nodes that are only objects: kwok marks their pods Running and Ready, so thousands of Functions fit on a laptop."""

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from cluster import process, tools
from cluster.credentials import ADMINS, Authority


class Plane(Protocol):
    folder: Path
    authority: Authority
    server: str
    kubeconfig: Path


def node(name: str) -> dict[str, object]:
    """A Node that kwok keeps alive, with room for plenty of small pods."""
    room = {"cpu": "1000", "memory": "4Ti", "pods": "20000"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "type": "kwok"},
        },
        "status": {"allocatable": room, "capacity": room},
    }


def simulate(plane: Plane, stack: ExitStack, count: int) -> None:
    """Add `count` simulated nodes; pods bound to them become Ready within a second."""
    kubeconfig = plane.authority.kubeconfig("kwok", plane.server, group=ADMINS)
    (port,) = process.free_ports(1)
    command = [
        tools.path("kwok"),
        f"--kubeconfig={kubeconfig}",
        f"--config={Path(__file__).parent / 'stages.yaml'}",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        "--node-lease-duration-seconds=40",
        f"--server-address=127.0.0.1:{port}",
    ]
    server = process.start("kwok", command, plane.folder / "kwok.log")
    stack.callback(server.stop)
    nodes = {"apiVersion": "v1", "kind": "List", "items": [node(f"simulated-{number}") for number in range(count)]}
    kubectl = [tools.path("kubectl"), f"--kubeconfig={plane.kubeconfig}", "apply", "-f", "-"]
    subprocess.run(kubectl, input=json.dumps(nodes), text=True, check=True, capture_output=True)
