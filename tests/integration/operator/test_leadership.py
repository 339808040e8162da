"""Two operators: one leads, the other takes over, and nobody writes without the Lease."""

import json
import time

from cluster.kubectl import fresh_namespace, kubectl
from cluster.waiting import eventually
from operating.world import SYSTEM, function

BRISK = {"lease_duration": 10, "lease_deadline": 8, "lease_retry": 1, "pool_key": "key"}
"""The arithmetic is that of the defaults, which a unit test holds under 15 s."""
LASTING = {"lease_duration": 600, "lease_deadline": 500, "pool_key": "key"}
"""Nobody waits for the end of such a Lease."""


def holder(world):
    lease = world.get("lease", "kubewick-operator", SYSTEM)
    return lease["spec"]["holderIdentity"] if lease else ""


def pair(world):
    one = world.operator(identity="one", **BRISK)
    one.wait_until_it_leads()
    other = world.operator(identity="other", **LASTING)
    eventually(lambda: "ok" in other.ask("/readyz") if _listens(other) else False)
    assert not other.leads()
    return one, other


def _listens(process):
    try:
        return bool(process.ask("/healthz"))
    except OSError:
        return False


def settled(world, deployment, namespace):
    """Whether Kubernetes's controllers have no more to say of it: nothing runs on a control plane without nodes."""
    status = (world.get("deploy", deployment, namespace) or {}).get("status", {})
    reasons = {each["type"]: each["reason"] for each in status.get("conditions", [])}
    return reasons.get("Available") and reasons.get("Progressing") != "NewReplicaSetCreated"


def has_looked(process):
    """Whether it has reconciled a function and looked after its pool."""
    reconciled = process.metric("kubewick_operator_reconcile_seconds_count")
    return reconciled >= 1 and process.metric("kubewick_pool_size") == 1


def test_a_killed_leader_is_followed_within_its_lease_and_a_polite_one_at_once_without_a_write(own_world):
    one, other = pair(own_world)
    namespace = fresh_namespace(own_world.plane.kubeconfig, "failover")
    one.kill()
    own_world.apply(namespace, function())
    eventually(other.leads)
    own_world.ready("hello", namespace)
    third = own_world.operator(identity="third", **LASTING)
    eventually(lambda: _listens(third))
    eventually(lambda: all(settled(own_world, name, namespace) for name in ("hello", "kubewick-pool-python")))
    eventually(lambda: other.metric("kubewick_operator_queue_depth") == 0)
    assert other.stop() == 0
    eventually(third.leads)
    eventually(lambda: has_looked(third))
    assert third.writes() == 0


def test_a_leader_whose_lease_was_taken_stops_writing_and_ends(own_world):
    one = own_world.operator(identity="one", **BRISK)
    one.wait_until_it_leads()
    stolen = {"spec": {"holderIdentity": "thief", "leaseDurationSeconds": 3600}}
    kubectl(
        own_world.plane.kubeconfig,
        *("patch", "lease", "kubewick-operator", "-n", SYSTEM, "--type=merge", "-p", json.dumps(stolen)),
    )
    eventually(lambda: one.child.poll() is not None)
    assert one.child.returncode == 1
    assert holder(own_world) == "thief"


def test_a_short_outage_of_the_api_server_is_waited_out_and_a_long_one_ends_the_leader(own_world):
    one = own_world.operator(identity="one", lease_duration=20, lease_deadline=15)
    one.wait_until_it_leads()
    namespace = fresh_namespace(own_world.plane.kubeconfig, "outage")
    server = own_world.plane.servers["kube-apiserver"].process
    server.send_signal(19)  # SIGSTOP
    time.sleep(3)  # the outage itself: nothing can be awaited from a server that is stopped
    server.send_signal(18)  # SIGCONT
    own_world.apply(namespace, function())
    own_world.ready("hello", namespace)
    assert one.child.poll() is None
    server.kill()
    eventually(lambda: one.child.poll() is not None)
    assert one.child.returncode == 1
