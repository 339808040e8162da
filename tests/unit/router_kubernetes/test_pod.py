"""What the router makes of a pod."""

import pytest

from wick_api import names
from wick_router.kubernetes.decisions.outcome import WarmStarted
from wick_router.kubernetes.decisions.pod import at_zero, instance

READY = {"conditions": [{"type": "Ready", "status": "True"}], "podIP": "10.0.0.1", "phase": "Running"}
OWNER = {"kind": "ReplicaSet", "controller": True}


def pod(restarts=0, *, claimed=False, adopted=True, ready=True):
    labels = {names.FUNCTION: "hello", names.REVISION: "r"} | ({names.CLAIMED_BY: "hello"} if claimed else {})
    metadata = {"name": "p", "namespace": "n", "uid": "u", "labels": labels, "ownerReferences": [OWNER] * adopted}
    status = READY | {"containerStatuses": [{"name": "function", "restartCount": restarts}]}
    status |= {} if ready else {"conditions": []}
    return {"metadata": metadata, "spec": {"containers": [{}]}, "status": status}


@pytest.mark.parametrize(
    ("found", "ready"),
    [
        (pod(), True),
        (pod(restarts=3), True),
        (pod(claimed=True), True),
        (pod(claimed=True, adopted=False), False),
        (pod(claimed=True, restarts=1), False),
    ],
)
def test_a_warm_pod_is_trusted_once_it_is_adopted_and_until_its_container_is_restarted(found, ready):
    assert instance(found).ready is ready


def test_that_this_router_started_a_function_does_not_count_once_the_container_was_restarted():
    started = WarmStarted(pod(claimed=True, adopted=False), (), {})
    assert instance(pod(claimed=True, adopted=False), started).ready
    assert not instance(pod(claimed=True, adopted=False, restarts=1), started).ready


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        ([], True),
        ([pod(ready=False)], True),
        ([pod()], False),
        ([pod(ready=False), pod()], False),
        ([pod(claimed=True, adopted=False)], False),
    ],
    ids=["no pod with an address", "one that starts", "one that serves", "a second one", "another router's warm pod"],
)
def test_a_function_is_at_zero_until_it_serves_or_a_router_gave_it_a_warm_pod(pods, expected):
    assert at_zero([instance(each) for each in pods]) is expected
