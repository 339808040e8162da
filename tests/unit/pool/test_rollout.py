"""Which rollout a warm pod can hasten."""

from hypothesis import given
from hypothesis import strategies as st

from wick_api.names import Key
from wick_operator.pool.decisions import rollout
from wick_operator.pool.decisions.adoption import TargetReplicaSet
from wick_operator.pool.decisions.rollout import Remembered, behind


def home(revision, number, ready, uid="u"):
    return TargetReplicaSet(Key("n", "f"), revision, "2026-01-01T00:00:00Z", number, ready, {}, {}, {}, {"uid": uid})


HOMES = st.lists(
    st.builds(home, st.sampled_from("abc"), st.integers(0, 9), st.integers(0, 3)),
    max_size=4,
    unique_by=lambda each: each.rollout,
)


def test_an_update_of_a_running_function_waits_for_its_new_replica_set():
    old, new = home("a", 1, 2), home("b", 2, 0)
    assert behind([old, new]) is new


def test_going_back_is_an_update_to_the_old_replica_set():
    again, left = home("a", 3, 0), home("b", 2, 1)
    assert behind([again, left]) is again


@given(HOMES)
def test_only_the_present_rollout_is_hastened_only_before_it_serves_and_only_while_another_revision_does(homes):
    found = behind(homes)
    if found is None:
        return
    others = [each for each in homes if each.revision != found.revision]
    assert found.rollout == max(each.rollout for each in homes)
    assert found.ready == 0
    assert any(each.ready for each in others)


@given(st.sampled_from("abc"), st.integers(0, 9), st.integers(0, 3))
def test_a_function_that_starts_from_zero_or_scales_is_no_update(revision, number, ready):
    assert behind([]) is None
    assert behind([home(revision, number, ready)]) is None


def test_each_rollout_is_given_one_pod_and_memory_has_an_end(monkeypatch):
    monkeypatch.setattr(rollout, "MOST_REMEMBERED", 2)
    known = Remembered()
    first = [known.first_time(home("a", number, 0)) for number in (1, 1, 2, 3, 3)]
    assert first == [True, False, True, True, False]
    assert known.first_time(home("a", 1, 0))


def test_a_rollout_is_one_replica_sets_so_that_a_function_made_anew_is_not_taken_for_the_one_before():
    known = Remembered()
    assert all(known.first_time(each) for each in (home("a", 1, 0), home("a", 1, 0, "v"), home("a", 2, 0)))
