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
