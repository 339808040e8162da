"""Fixtures for tests against a real API server; `tests/cluster/README.md` says how to use them."""

from pathlib import Path

import pytest

from cluster.control_plane import ControlPlane
from cluster.kubectl import establish, fresh_namespace
from cluster.tools import Missing

CRDS = Path(__file__).parents[2] / "crds"


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
