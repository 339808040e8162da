"""One operator process for the session, beside a control plane with controllers: pods exist but nothing runs them."""

import pytest

from cluster.control_plane import ControlPlane
from operating.world import world


@pytest.fixture(scope="session")
def operated(controlled_plane, tmp_path_factory):
    """The session's world with an operator that leads."""
    with world(controlled_plane, tmp_path_factory.mktemp("operator")) as made:
        made.process = made.operator(identity="session", resync=3600)
        made.process.wait_until_it_leads()
        yield made


@pytest.fixture
def own_world(tmp_path):
    """A control plane with controllers of the test's own, without an operator yet."""
    from cluster.images import PROJECT
    from cluster.kubectl import kubectl

    with ControlPlane.start(controllers=True) as plane, world(plane, tmp_path) as made:
        kubectl(plane.kubeconfig, "apply", "--server-side", "-f", str(PROJECT / "crds"))
        yield made
