"""Which warm pods a router takes, and how fast it writes claims; pure."""

from hypothesis import given
from hypothesis import strategies as st

from wick_api import names
from wick_api.names import Key
from wick_api.warm import DORMANT, choose
from wick_operator.pool.audit import EVERY, LOOKS
from wick_router.kubernetes.claim_writer import AFTER, LONGEST_HOLD, PACE, SPREAD, pause
from wick_router.kubernetes.warm_pods import WarmPods

POOL = ("n", "python")
WHERE = ("n", "p")
HELLO = Key("n", "hello")


def pod(*, ready=False, address="10.0.0.1", **metadata):
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    metadata = {"uid": "u", "namespace": "n", "name": "p", "labels": {names.POOL: "python"}} | metadata
    return {"metadata": metadata, "status": {"podIP": address, "conditions": [condition]}}


@given(st.integers(0, 1000))
def test_claims_in_line_come_one_after_the_other_and_none_waits_much_longer_for_the_others(in_line):
    assert 0 < pause(in_line) <= PACE
    assert sum(pause(left) for left in [in_line] * in_line) <= SPREAD + 1e-9


def test_every_claim_is_written_before_the_audit_gives_its_pod_up():
    assert AFTER + LONGEST_HOLD + SPREAD < EVERY * (LOOKS - 1)


def test_a_pod_that_says_itself_that_it_waits_is_taken_before_its_kubelet_calls_it_ready():
    pods = WarmPods()
    pods.changed(WHERE, pod(), None)
    assert pods.take(POOL, HELLO) is None
    pods.waits(pod())
    pods.changed(WHERE, pod(), pod())
    assert pods.take(POOL, HELLO) == pod()
    pods.waits(pod())
    assert pods.take(POOL, HELLO) is None


def test_a_pod_that_went_before_its_word_arrived_is_not_offered():
    pods = WarmPods()
    pods.changed(WHERE, pod(), None)
    pods.deleted(WHERE, pod())
    pods.waits(pod())
    assert pods.take(POOL, HELLO) is None


def test_a_dormant_pod_is_taken_only_where_no_other_is_free():
    pods = WarmPods()
    asleep = {names.POOL: "python", names.COMPONENT: DORMANT}
    pods.changed(WHERE, pod(ready=True, uid="asleep", labels=asleep), None)
    pods.changed(WHERE, pod(ready=True, uid="awake"), None)
    assert [pods.take(POOL, HELLO)["metadata"]["uid"] for _ in range(2)] == ["awake", "asleep"]
    assert pods.take(POOL, HELLO) is None


def listening(*states):
    """A router's view after these states of one pod."""
    pods = WarmPods()
    for state in states:
        pods.changed(WHERE, state, None)
    return pods


def test_a_pod_that_is_not_ready_any_more_is_not_offered():
    assert listening(pod(ready=True)).take(POOL, HELLO) == pod(ready=True)
    assert listening(pod(ready=True), pod()).take(POOL, HELLO) is None


def test_a_pods_own_word_counts_until_its_kubelets_and_never_brings_back_an_older_state():
    pods = listening(pod())
    pods.waits(pod())
    pods.changed(WHERE, pod(ready=True), pod())
    pods.waits(pod())
    assert pods.any(POOL) == pod(ready=True)
    pods.changed(WHERE, pod(), pod(ready=True))
    assert pods.take(POOL, HELLO) is None


def test_a_pod_that_said_it_waits_and_is_told_to_go_is_not_offered():
    pods = listening(pod())
    pods.waits(pod())
    pods.changed(WHERE, pod(deletionTimestamp="2026-01-01T00:00:00Z"), pod())
    assert pods.take(POOL, HELLO) is None


def test_a_taken_pod_is_no_sample_and_is_offered_again_once_put_back():
    pods = listening(pod(ready=True))
    taken = pods.take(POOL, HELLO)
    assert pods.any(POOL) is None
    pods.put_back(taken)
    assert pods.take(POOL, HELLO) == taken


def test_of_a_pod_that_is_gone_nothing_is_remembered():
    pods = listening(pod())
    pods.waits(pod())
    pods.take(POOL, HELLO)
    pods.deleted(WHERE, pod())
    pods.changed(WHERE, pod(), None)
    assert pods.take(POOL, HELLO) is None
    pods.changed(WHERE, pod(ready=True), pod())
    assert pods.take(POOL, HELLO) == pod(ready=True)


def test_only_pods_of_an_empty_pool_that_have_an_address_are_worth_asking():
    asked = []
    pods = WarmPods(asked.append)
    pods.changed(WHERE, pod(address=""), None)
    assert not asked
    pods.changed(WHERE, pod(), None)
    assert asked == [pod()]
    pods.changed(WHERE, pod(ready=True), pod())
    other = pod()
    other["metadata"]["uid"] = "v"
    pods.changed(("n", "q"), other, None)
    assert asked == [pod()]


@given(st.permutations([pod(uid=str(number)) for number in range(6)]), st.integers(0, 100))
def test_routers_choose_one_pod_for_a_function_in_whatever_order_they_heard_of_the_pods(heard, number):
    key = Key("n", str(number))
    chosen = choose(heard, key)
    assert chosen == choose(sorted(heard, key=lambda each: each["metadata"]["uid"]), key)
    rest = [each for each in heard if each["metadata"]["uid"] != "0"]
    assert choose(rest, key) == chosen or chosen["metadata"]["uid"] == "0", "another pod that goes moves nobody"


def test_different_functions_choose_different_pods():
    pods = [pod(uid=str(number)) for number in range(10)]
    chosen = {choose(pods, Key("n", str(number)))["metadata"]["uid"] for number in range(100)}
    assert len(chosen) == len(pods)
