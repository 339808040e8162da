"""The testbed itself: a bring-up that was killed half-way is found and replaced by the next."""

import os
import signal
import subprocess
import sys

import pytest

from cluster import machine, node, release
from cluster.calling import call
from cluster.images import PROJECT
from cluster.platforms import OnCluster, function
from cluster.waiting import eventually


def started(command):
    """Start `make cluster-up` or `cluster-down`."""
    environment = {name: value for name, value in os.environ.items() if name != "KUBECONFIG_E2E"}
    environment["PYTHONPATH"] = str(PROJECT / "tests")
    line = [sys.executable, "-m", "cluster", command]
    return subprocess.Popen(line, cwd=PROJECT, env=environment, start_new_session=True)


def test_a_bring_up_killed_half_way_is_replaced_by_the_next(cluster_kubeconfig, request):
    if "kube-apiserver" not in machine.processes().values():
        pytest.skip("the cluster is none of this machine's own")
    assert started("down").wait(300) == 0
    assert machine.processes() == {}
    half = started("up")
    try:
        eventually(lambda: "kube-apiserver" in machine.processes().values())
    finally:
        os.killpg(half.pid, signal.SIGKILL)
        half.wait()
    assert "kube-apiserver" in machine.processes().values(), "what it had started goes on"
    assert not node.usable()
    assert started("up").wait(500) == 0
    assert node.usable()
    cluster = OnCluster(cluster_kubeconfig, release.router_url(cluster_kubeconfig), "default")
    cluster.deploy(function("after", "def handle():\n    return 'works'"))
    request.addfinalizer(lambda: cluster.delete("after"))
    assert call(f"{cluster.router}/function/default/after/").body == b"works"
