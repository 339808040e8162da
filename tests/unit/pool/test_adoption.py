"""What becomes of a claimed warm pod."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from wick_api.names import Key
from wick_operator.pool.decisions.adoption import (
    ADOPT_PATIENCE,
    CLAIM_PATIENCE,
    GONE_PATIENCE,
    RELEASE_PATIENCE,
    REPORT_PATIENCE,
    SCALE_PATIENCE,
    SPECIALIZE_PATIENCE,
    AdoptionFacts,
    Step,
    TargetReplicaSet,
    adopt,
    claim_and_adopt,
    decide,
    release,
)
from wick_operator.pool.decisions.adoption import home as read

OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "f-h", "uid": "u", "controller": True}


def home(revision="r1", created="2026-01-01T00:00:00Z", *, observed=True, settled=False):
    labels = {"kubewick.dev/revision": revision, "kubewick.dev/function": "f", "pod-template-hash": "h"}
    return TargetReplicaSet(Key("n", "f"), revision, created, 1, 0, labels, {}, {}, OWNER, observed, settled)


def replica_set(replicas):
    labels = {"kubewick.dev/revision": "r1", "kubewick.dev/function": "f", "pod-template-hash": "h"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"resources": {"limits": {"cpu": "1"}}}]}}
    metadata = {"namespace": "n", "name": "f-h", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"}
    return Raw(msgspec.json.encode({"metadata": metadata, "spec": {"replicas": replicas, "template": template}}))


def facts(**changed):
    usual = {
        "function_exists": True,
        "state": "ready",
        "age": 0.5,
        "revision": "r1",
        "replicas": 1,
        "current": "r1",
        "homes": [home()],
    }
    return AdoptionFacts(**(usual | changed))


@pytest.mark.parametrize(
    ("changed", "step"),
    [
        ({}, Step.ADOPT),
        ({"forgot": True}, Step.DELETE),
        ({"forgot": True, "state": "pool", "function_exists": False}, Step.DELETE),
        ({"homes": []}, Step.WAIT),
        ({"homes": [home(observed=False)]}, Step.WAIT),
        ({"homes": [home("r2")], "current": "r2"}, Step.DELETE),
        ({"replicas": 0, "homes": []}, Step.WAIT),
        ({"replicas": 0, "age": SCALE_PATIENCE + 0.1, "homes": []}, Step.SCALE),
        ({"replicas": None, "homes": []}, Step.WAIT),
        ({"state": "pool"}, Step.WAIT),
        ({"state": "loading"}, Step.WAIT),
        ({"state": ""}, Step.WAIT),
        ({"state": "pool", "age": CLAIM_PATIENCE + 0.1}, Step.DELETE),
        ({"state": "loading", "age": CLAIM_PATIENCE + 0.1}, Step.WAIT),
        ({"state": "loading", "age": SPECIALIZE_PATIENCE + 0.1}, Step.DELETE),
        ({"state": "failed"}, Step.WAIT),
        ({"state": "failed", "reported": True}, Step.DELETE),
        ({"state": "failed", "age": REPORT_PATIENCE + 0.1}, Step.DELETE),
        ({"function_exists": False}, Step.WAIT),  # a new leader may not have heard of it yet
        ({"function_exists": False, "age": GONE_PATIENCE + 0.1}, Step.DELETE),
        ({"adopted": True}, Step.WAIT),
        ({"adopted": True, "homes": [home(settled=True)]}, Step.RELEASE),
        ({"adopted": True, "homes": [home("r2"), home(settled=True)]}, Step.RELEASE),
        ({"adopted": True, "homes": [home(), home("r2", settled=True)]}, Step.WAIT),
        ({"adopted": True, "homes": []}, Step.RELEASE),
        ({"adopted": True, "age": RELEASE_PATIENCE + 0.1}, Step.RELEASE),
        ({"adopted": True, "forgot": True}, Step.DELETE),
        ({"age": ADOPT_PATIENCE + 0.1}, Step.ADOPT),
        ({"age": ADOPT_PATIENCE + 0.1, "homes": []}, Step.DELETE),
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
    adopted=st.booleans(),
    forgot=st.booleans(),
    homes=st.lists(
        st.builds(home, st.sampled_from(["r1", "r2"]), st.sampled_from("123"), settled=st.booleans()), max_size=3
    ),
)


@given(SITUATIONS)
def test_a_pod_is_adopted_only_into_its_own_revision_that_wants_pods(situation):
    plan = decide(situation)
    assert (plan.step is Step.ADOPT) == (plan.home is not None)
    if plan.home:
        assert plan.home in situation.homes
        assert plan.home.revision == situation.revision
        assert situation.state == "ready"
        assert not situation.forgot
        assert not situation.adopted


@given(SITUATIONS)
def test_a_functions_own_pods_are_let_go_only_after_the_adoption_and_not_held_back_long_after_it(situation):
    step = decide(situation).step
    assert step is not Step.RELEASE or situation.adopted
    if situation.adopted and situation.age > RELEASE_PATIENCE:
        assert step in {Step.RELEASE, Step.DELETE}


@given(SITUATIONS)
def test_no_claimed_pod_waits_for_ever(situation):
    if situation.age > ADOPT_PATIENCE:
        assert decide(situation).step in {Step.DELETE, Step.ADOPT, Step.RELEASE}


@pytest.mark.parametrize(
    ("status", "observed"), [({}, False), ({"observedGeneration": 2}, False), ({"observedGeneration": 3}, True)]
)
def test_a_home_tells_whether_its_controller_knows_what_it_wants(status, observed):
    told = msgspec.json.decode(replica_set(1))
    told["metadata"]["generation"], told["status"] = 3, status
    assert read(Raw(msgspec.json.encode(told))).observed is observed


@pytest.mark.parametrize(
    ("status", "settled"),
    [
        ({}, False),
        ({"replicas": 1}, False),  # its own, which no node may take
        ({"replicas": 2, "readyReplicas": 1}, False),
        ({"replicas": 1, "readyReplicas": 1}, True),
    ],
)
def test_a_home_is_settled_once_it_has_a_pod_that_serves_and_none_too_many(status, settled):
    told = msgspec.json.decode(replica_set(1))
    told["status"] = status
    assert read(Raw(msgspec.json.encode(told))).settled is settled


def test_a_replica_set_that_wants_no_pods_is_no_home():
    assert read(replica_set(0)) is None
    assert read(replica_set(1)).resources == {"limits": {"cpu": "1"}}


def test_a_home_tells_its_rollout_and_its_pods_that_serve_and_wants_one_where_no_number_is_told():
    told = msgspec.json.decode(replica_set(1))
    del told["spec"]["replicas"]
    told["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "7"}
    told["status"] = {"readyReplicas": 2}
    found = read(Raw(msgspec.json.encode(told)))
    assert (found.rollout, found.ready) == (7, 2)


def test_of_two_replica_sets_of_one_revision_the_younger_adopts():
    assert decide(facts(homes=[home(created="2"), home(created="3"), home(created="1")])).home.created == "3"


def test_adoption_names_this_very_pod_and_gives_it_the_labels_and_the_owner_its_replica_set_would():
    told = msgspec.json.decode(replica_set(1))
    told["spec"]["template"]["metadata"]["annotations"] = {"by": "its author"}
    found = read(Raw(msgspec.json.encode(told)))
    patch = adopt({"metadata": {"uid": "p", "resourceVersion": "7"}}, found)["metadata"]
    assert (patch["uid"], patch["ownerReferences"]) == ("p", [OWNER])
    assert "resourceVersion" not in patch  # the kubelet's next status must not put the adoption off
    assert patch["labels"]["pod-template-hash"] == "h"
    assert patch["annotations"] == {"by": "its author", "controller.kubernetes.io/pod-deletion-cost": "100"}


def test_a_pod_claimed_and_adopted_in_one_write_is_as_after_all_three():
    def merged(pod, patch):
        before, after = pod["metadata"], patch["metadata"]
        whole = {part: {**before.get(part, {}), **after.get(part, {})} for part in ("labels", "annotations")}
        kept = {part: {key: value for key, value in whole[part].items() if value is not None} for part in whole}
        return {"metadata": {**before, **after, **kept}}

    pod = {
        "metadata": {"uid": "p", "labels": {"kubewick.dev/pool": "python", "pod-template-hash": "pools", "own": "x"}}
    }
    labels = {
        "kubewick.dev/pool": None,
        "pod-template-hash": None,
        "kubewick.dev/claimed-by": "f",
        "kubewick.dev/stands-in-for": "f",
    }
    owner = {"kind": "Function", "name": "f", "uid": "v"}
    claim = {"metadata": {"annotations": {"a": "1"}, "ownerReferences": [owner], "labels": labels}}
    adoption = adopt(pod, home())
    one_by_one = merged(merged(merged(pod, claim), adoption), release(pod))
    assert merged(pod, claim_and_adopt(claim, adoption)) == one_by_one
