"""When waiting for an instance is in vain."""

from hypothesis import given
from hypothesis import strategies as st

from wick_api import names
from wick_api.diagnosis import Trouble
from wick_api.function import parse
from wick_api.reason import Reason
from wick_router.kubernetes.decisions.failure import PATIENCE, HopelessWait, decide

BROKEN = Trouble(Reason.IMAGE_PULL, "no such image")
CROWDED = Trouble(Reason.UNSCHEDULABLE, "no node fits")


def pod(*, ready=False, leaving=False):
    status = {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
    return {"metadata": {"name": "p", **({"deletionTimestamp": "now"} if leaving else {})}, "status": status}


def function(generation=1, **condition):
    said = {"type": "SourceResolved", "status": "False", "reason": "SourceNotFound", "message": "no ConfigMap c"}
    manifest = {
        "apiVersion": "kubewick.dev/v1alpha1",
        "kind": "Function",
        "metadata": {"name": "f", "generation": generation},
        "spec": {"source": {"configMap": {"name": "c"}}},
        "status": {"conditions": [{**said, "observedGeneration": 1, **condition}]},
    }
    return parse(manifest)


def test_what_its_author_must_mend_is_a_failure_at_once():
    assert decide(None, [pod()], [BROKEN], 0) == HopelessWait(Reason.IMAGE_PULL, "no such image")


def test_what_may_pass_by_itself_is_borne_for_a_while():
    assert decide(None, [pod()], [CROWDED], PATIENCE - 0.1) is None
    assert decide(None, [pod()], [CROWDED], PATIENCE) == HopelessWait(Reason.UNSCHEDULABLE, "no node fits")


def test_a_function_with_a_ready_pod_does_not_fail_whatever_its_other_pods_do():
    assert decide(None, [pod(ready=True), pod()], [BROKEN], 99) is None


def test_a_ready_pod_that_is_leaving_saves_nobody():
    assert decide(None, [pod(ready=True, leaving=True), pod()], [BROKEN], 0)


def test_a_claimed_pod_saves_nobody_until_a_replica_set_has_it():
    claimed = pod(ready=True)
    claimed["metadata"]["labels"] = {names.CLAIMED_BY: "router-1"}
    assert decide(None, [claimed], [BROKEN], 0) == HopelessWait(Reason.IMAGE_PULL, "no such image")
    claimed["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "controller": True}]
    assert decide(None, [claimed], [BROKEN], 0) is None


def test_what_the_operator_says_of_this_generation_counts_while_there_is_no_pod():
    assert decide(function(), [], [], 0) == HopelessWait(Reason.SOURCE_NOT_FOUND, "no ConfigMap c")
    assert decide(function(), [pod()], [], 0) is None


def test_what_the_operator_said_of_an_older_generation_does_not_count():
    assert decide(function(generation=2), [], [], 0) is None


@given(st.lists(st.sampled_from([BROKEN, CROWDED])), st.floats(0, 100), st.floats(0, 100))
def test_a_failure_never_heals_by_lasting_longer(troubles, lasted, longer):
    if decide(None, [], troubles, lasted):
        assert decide(None, [], troubles, lasted + longer)
