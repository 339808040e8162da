"""Which pods that are leaving get less than their grace period."""

import msgspec
from msgspec import Raw

from wick_operator.observed import snapshot
from wick_operator.pool.decisions.dropped import PATIENCE, Dropped

LABELS = {"kubewick.dev/function": "f"}


def pod(**status):
    metadata = {"namespace": "n", "name": "p", "uid": "u", "resourceVersion": "1", "labels": LABELS}
    manifest = {"metadata": metadata, "spec": {"containers": [{}]}, "status": status}
    if "phase" not in status:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return snapshot.pod(Raw(msgspec.json.encode(manifest)))


def test_a_pod_told_to_go_before_it_had_an_address_is_hastened_once_and_not_at_once():
    dropped = Dropped()
    assert dropped.look([pod()], 0.0) == []
    assert dropped.look([pod()], PATIENCE / 2) == []
    assert [each.uid for each in dropped.look([pod(podIP="10.0.0.1")], PATIENCE)] == ["u"]
    assert dropped.look([pod()], 10 * PATIENCE) == []


def test_a_pod_that_may_have_requests_keeps_its_grace():
    dropped = Dropped()
    dropped.look([pod(podIP="10.0.0.1")], 0.0)
    assert dropped.look([pod(podIP="10.0.0.1")], PATIENCE) == []


def test_a_pod_that_ended_and_was_not_told_to_go_is_left_alone():
    dropped = Dropped()
    dropped.look([pod(phase="Failed")], 0.0)
    assert dropped.look([pod(phase="Failed")], PATIENCE) == []


def test_one_that_went_by_itself_is_forgotten():
    dropped = Dropped()
    dropped.look([pod()], 0.0)
    assert dropped.look([], PATIENCE) == []
    assert dropped.look([pod()], PATIENCE) == []
