"""What becomes of a claimed warm pod."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_operator.pool.adoption import (
    ADOPT_PATIENCE,
    SCALE_PATIENCE,
    SPECIALIZE_PATIENCE,
    Facts,
    Step,
    adopt,
    decide,
)


def replica_set(revision="r1", replicas=1):
    labels = {"kubewick.dev/revision": revision, "kubewick.dev/function": "f", "pod-template-hash": "h"}
    return {"spec": {"replicas": replicas, "template": {"metadata": {"labels": labels}}}}


def facts(**changed):
    usual = {
        "function_exists": True,
        "state": "ready",
        "age": 0.5,
        "revision": "r1",
        "replicas": 1,
        "current": "r1",
        "replica_sets": [replica_set()],
    }
    return Facts(**(usual | changed))


@pytest.mark.parametrize(
    ("changed", "step"),
    [
        ({}, Step.ADOPT),
        ({"replica_sets": [replica_set(replicas=0)]}, Step.WAIT),
        ({"replica_sets": []}, Step.WAIT),
        ({"replica_sets": [replica_set("r2")], "current": "r2"}, Step.DELETE),
        ({"replicas": 0, "replica_sets": [replica_set(replicas=0)]}, Step.WAIT),
        ({"replicas": 0, "age": SCALE_PATIENCE + 0.1, "replica_sets": []}, Step.SCALE),
        ({"replicas": None}, Step.WAIT),
        ({"state": "pool"}, Step.WAIT),
        ({"state": "loading"}, Step.WAIT),
        ({"state": ""}, Step.WAIT),
        ({"state": "pool", "age": SPECIALIZE_PATIENCE + 0.1}, Step.DELETE),
        ({"state": "failed"}, Step.DELETE),
        ({"function_exists": False}, Step.DELETE),
        ({"age": ADOPT_PATIENCE + 0.1}, Step.DELETE),
    ],
)
def test_each_situation_has_its_step(changed, step):
    assert decide(facts(**changed)).step is step


SITUATIONS = st.builds(
    facts,
    function_exists=st.booleans(),
    state=st.sampled_from(["", "pool", "loading", "ready", "failed", "draining"]),
    age=st.floats(0, 2 * ADOPT_PATIENCE),
    revision=st.sampled_from(["r1", "r2"]),
    replicas=st.sampled_from([None, 0, 1, 5]),
    current=st.sampled_from(["r1", "r2"]),
    replica_sets=st.lists(st.builds(replica_set, st.sampled_from(["r1", "r2"]), st.integers(0, 3)), max_size=3),
)


@given(SITUATIONS)
def test_a_pod_is_adopted_only_into_its_own_revision_that_wants_pods(situation):
    plan = decide(situation)
    assert (plan.step is Step.ADOPT) == (plan.replica_set is not None)
    if plan.replica_set:
        assert plan.replica_set["spec"]["replicas"] >= 1
        assert plan.replica_set["spec"]["template"]["metadata"]["labels"]["kubewick.dev/revision"] == situation.revision


@given(SITUATIONS)
def test_no_claimed_pod_waits_for_ever(situation):
    if situation.age > ADOPT_PATIENCE:
        assert decide(situation).step is Step.DELETE


def test_adoption_names_the_pods_version_and_gives_it_the_labels_of_its_replica_set():
    patch = adopt({"metadata": {"resourceVersion": "7"}}, replica_set())["metadata"]
    assert patch["resourceVersion"] == "7"
    assert patch["labels"]["pod-template-hash"] == "h"
