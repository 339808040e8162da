import pytest

from cluster.wick import Wick


@pytest.fixture
def wick(kubeconfig, namespace):
    """The real command against the real API server, in a namespace of the test's own."""
    return Wick(kubeconfig, namespace)
