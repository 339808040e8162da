"""What keeps a function's users and processes to itself, as far as the node offers it."""

import pytest

from cluster import containers, flags, release
from cluster.platforms import function
from cluster.waiting import eventually

SWARM = """\
import threading


def handle():
    '''Start threads until the node refuses one; all end before the answer.'''
    enough, started = threading.Event(), 0
    try:
        while started < 20_000:
            threading.Thread(target=enough.wait, daemon=True).start()
            started += 1
    except RuntimeError:
        pass
    finally:
        enough.set()
    return str(started)
"""
USERS = "def handle():\n    return open('/proc/self/uid_map').read()"


@pytest.fixture
def own_node(cluster_kubeconfig):
    """The kubeconfig of this machine's own node, whose settings the tests know."""
    if not containers.SOCKET.exists():
        pytest.skip("the cluster is none of this machine's own")
    return cluster_kubeconfig


@pytest.mark.usefixtures("own_node")
def test_a_function_that_starts_too_many_processes_meets_its_pods_limit_and_its_neighbour_nothing(cluster):
    cluster.deploy(
        function("swarm", SWARM, resources={"limits": {"memory": "512Mi"}}),
        function("neighbour", "def handle():\n    return 'well'"),
    )
    answer = cluster.call("swarm")
    assert answer.status == 200, answer
    assert 0 < int(answer.body) < flags.PROCESSES_OF_A_POD
    assert cluster.call("neighbour").body == b"well"
    assert cluster.call("swarm").status == 200


def test_user_namespaces_hold_for_cold_warm_and_scaled_pods(own_node, cluster, request):
    cluster.deploy(function("shared", USERS))
    assert cluster.call("shared").body.split() == [b"0", b"0", b"4294967295"]
    values = release.installed_values(own_node)
    request.addfinalizer(lambda: release.install(own_node, values))
    release.install(own_node, {**values, "functions": {**values.get("functions", {}), "hostUsers": False}})
    cluster.deploy(function("apart", USERS, scale={"max": 2}))
    eventually(lambda: apart(cluster.call("apart").body))
    cluster.kubectl("patch", "function", "apart", "--type=merge", "-p", '{"spec":{"scale":{"min":2}}}')
    eventually(lambda: len(cluster.instances("apart")) == 2)
    assert all(pod["spec"]["hostUsers"] is False for pod in cluster.pods("apart"))


def apart(uid_map):
    """Whether user 0 of the pod is another on the node."""
    return uid_map.split()[:2] not in ([b"0", b"0"], [])
