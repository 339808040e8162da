"""Fixtures for tests against a real API server; `tests/cluster/README.md` says how to use them."""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from cluster import tools
from cluster.control_plane import ControlPlane
from cluster.kubectl import establish, fresh_namespace
from cluster.tools import Missing

CRDS = Path(__file__).parents[2] / "crds"
FRAMEWORKS = Path(__file__).parent / "runtime" / "frameworks.txt"


def _plane(**wanted):
    try:
        with ControlPlane.start(**wanted) as plane:
            if CRDS.is_dir():
                establish(plane.kubeconfig, CRDS)
            yield plane
    except Missing as missing:
        pytest.skip(f"NO CONTROL PLANE, because this machine lacks {missing}")


@pytest.fixture(scope="session")
def control_plane():
    """etcd and kube-apiserver with the project's CRDs; nothing acts on objects but your test."""
    yield from _plane()


@pytest.fixture(scope="session")
def controlled_plane():
    """The same with kube-controller-manager: Deployments make ReplicaSets and pods, owners collect children."""
    yield from _plane(controllers=True)


@pytest.fixture(scope="session")
def simulated_plane():
    """The same with a scheduler and simulated nodes: pods become Running and Ready, without containers."""
    yield from _plane(nodes=3)


@pytest.fixture(scope="session")
def kubeconfig(control_plane):
    """The administrator's kubeconfig file of `control_plane`."""
    return control_plane.kubeconfig


@pytest.fixture
def namespace(control_plane, request):
    """A namespace of the test's own in `control_plane`."""
    return fresh_namespace(control_plane.kubeconfig, request.node.name)


@pytest.fixture
def controlled_namespace(controlled_plane, request):
    """A namespace of the test's own in `controlled_plane`."""
    return fresh_namespace(controlled_plane.kubeconfig, request.node.name)


@pytest.fixture
def simulated_namespace(simulated_plane, request):
    """A namespace of the test's own in `simulated_plane`."""
    return fresh_namespace(simulated_plane.kubeconfig, request.node.name)


@pytest.fixture(scope="session")
def libraries():
    """A folder with the frameworks, beside the project's environment and not in it; made once per machine."""
    wanted = FRAMEWORKS
    digest = hashlib.sha256(wanted.read_bytes()).hexdigest()[:12]
    folder = tools.cache() / f"frameworks-{sys.implementation.cache_tag}-{digest}"
    with tools.locked(folder.with_suffix(".lock")):
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}-") as made:
                whole = Path(made) / "whole"
                command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", whole, "-r", wanted]
                subprocess.run(command, check=True, timeout=300)
                whole.rename(folder)
    return folder
