"""One leader at a time, whatever the order in which replicas look at the Lease."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from wick_operator.leader.decisions import lease
from wick_operator.leader.decisions.lease import Move, Record

DURATION, DEADLINE = 10, 7


@pytest.mark.parametrize(
    ("record", "unchanged", "then"),
    [
        (Record(), 0, Move.TAKE),
        (Record(holder="me", duration=10), 99, Move.RENEW),
        (Record(holder="other", duration=10), 9.9, Move.WAIT),
        (Record(holder="other", duration=10), 10, Move.TAKE),
        (Record(holder="", duration=10), 0, Move.TAKE),
    ],
)
def test_a_lease_is_taken_only_when_it_is_free_or_stale(record, unchanged, then):
    assert lease.move(record, "me", unchanged) is then


def test_taking_over_counts_a_transition_and_renewing_does_not():
    taken = lease.written(Record(holder="other", transitions=4), "me", 10, "now")
    renewed = lease.written(Record(holder="me", transitions=5), "me", 10, "now")
    assert taken["leaseTransitions"] == 5
    assert "leaseTransitions" not in renewed
    assert "acquireTime" not in renewed


class NeverTwoLeaders(RuleBasedStateMachine):
    """Replicas look whenever they like; each believes in its reign for `DEADLINE` after a write that succeeded."""

    def __init__(self):
        super().__init__()
        self.now, self.record, self.version = 0, Record(), 0
        self.noticed, self.renewed = {}, {}

    @rule(me=st.sampled_from(["a", "b", "c"]), slow=st.integers(0, 4))
    def look(self, me, slow):
        began, read = self.now, self.record
        seen, since = self.noticed.get(me, (None, began))
        if seen != read:
            since = began
        self.noticed[me] = (read, since)
        if lease.move(read, me, began - since) is Move.WAIT:
            return
        self.now += slow
        if read.version != self.record.version:
            return
        self.version += 1
        spec = lease.written(read, me, DURATION, str(self.now))
        self.record = lease.read({"metadata": {"resourceVersion": str(self.version)}, "spec": spec})
        self.noticed[me] = (self.record, self.now)
        self.renewed[me] = began

    @rule(seconds=st.integers(1, 6))
    def wait(self, seconds):
        self.now += seconds

    @invariant()
    def one_leads(self):
        assert sum(self.now < at + DEADLINE for at in self.renewed.values()) <= 1


TestNeverTwoLeaders = NeverTwoLeaders.TestCase


def test_a_lease_is_read_field_by_field():
    spec = {
        "holderIdentity": "me",
        "leaseDurationSeconds": 15,
        "renewTime": "2026-11-28T12:00:00.000000Z",
        "leaseTransitions": 3,
    }
    read = lease.read({"metadata": {"resourceVersion": "7"}, "spec": spec})
    assert read == Record("me", 15.0, "2026-11-28T12:00:00.000000Z", 3, "7")


@pytest.mark.parametrize(
    "empty",
    [
        {},
        {"metadata": {}, "spec": {}},
        {"spec": dict.fromkeys(("holderIdentity", "leaseDurationSeconds", "renewTime", "leaseTransitions"))},
    ],
)
def test_a_lease_that_says_nothing_is_nobodys(empty):
    assert lease.read(empty) == Record("", 0.0, "", 0, "")


def test_what_is_written_makes_or_keeps_a_leader():
    other = Record(holder="other", duration=15, renewed="then", transitions=3)
    assert lease.written(other, "me", 14.6, "now") == {
        "holderIdentity": "me",
        "leaseDurationSeconds": 15,
        "renewTime": "now",
        "acquireTime": "now",
        "leaseTransitions": 4,
    }
    kept = lease.written(Record(holder="me", transitions=3), "me", 0.2, "now")
    assert kept == {"holderIdentity": "me", "leaseDurationSeconds": 1, "renewTime": "now"}


def test_a_whole_lease_has_its_place_and_its_labels():
    assert lease.manifest("ns", "kubewick-operator", {"holderIdentity": "me"}) == {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": "kubewick-operator",
            "namespace": "ns",
            "labels": {"app.kubernetes.io/part-of": "kubewick", "app.kubernetes.io/component": "operator"},
        },
        "spec": {"holderIdentity": "me"},
    }
