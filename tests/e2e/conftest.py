"""Fixtures of the stories. `make e2e` brings the cluster up and sets KUBECONFIG_E2E; without one they are skipped."""

import os
from pathlib import Path

import pytest

from cluster import release
from cluster.kubectl import fresh_namespace, kubectl
from cluster.platforms import Local, OnCluster


@pytest.fixture(scope="session")
def cluster_kubeconfig():
    """The cluster's kubeconfig file, or a skip that says why there is none."""
    if why := os.environ.get("KUBEWICK_NO_CLUSTER"):
        pytest.skip(f"NO CLUSTER, because this machine lacks {why}")
    if not (file := os.environ.get("KUBECONFIG_E2E")):
        pytest.skip("NO CLUSTER: run `make e2e`, or set KUBECONFIG_E2E")
    return Path(file)


@pytest.fixture
def router(cluster_kubeconfig):
    """The router's URL, asked anew for each test: a reinstallation gives it another address."""
    return release.router_url(cluster_kubeconfig)


@pytest.fixture
def cluster(cluster_kubeconfig, router, request):
    """Kubewick on the cluster, with a namespace of the test's own, which goes when the test ends.

    The API server refuses every pod in it that does not meet the `restricted` Pod Security Standard.
    """
    namespace = fresh_namespace(cluster_kubeconfig, f"{os.getpid()}-{request.node.originalname}")
    restricted = ("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    kubectl(cluster_kubeconfig, *restricted)
    yield OnCluster(cluster_kubeconfig, router, namespace)
    kubectl(cluster_kubeconfig, "delete", "namespace", namespace, "--wait=false")


@pytest.fixture
def local(tmp_path):
    """A running `wick up` with no functions yet."""
    with Local.running(tmp_path) as running:
        yield running


@pytest.fixture(params=["cluster", "local"])
def platform(request):
    """Both in turn: the same story must hold on either."""
    return request.getfixturevalue(request.param)
