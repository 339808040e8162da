"""The agenda gives every key out at its time, once, and nothing before."""

import math

from hypothesis import given
from hypothesis import strategies as st

from wick_api.names import Key
from wick_autoscaler.decisions.recheck_queue import SLOT, Agenda

A, B = Key("default", "a"), Key("default", "b")
TIMES = st.floats(0, 100)


def test_a_key_comes_out_at_its_time_and_only_once():
    agenda = Agenda()
    agenda.put(A, 5.0)
    assert list(agenda.take(4.8)) == []
    assert list(agenda.take(5.0)) == [A]
    assert list(agenda.take(9.0)) == []


def test_what_is_left_of_a_time_that_was_moved_does_not_come_out():
    agenda = Agenda()
    agenda.put(A, 5.0)
    agenda.put(A, 2.0)
    assert list(agenda.take(2.0)) == [A]
    agenda.put(A, 9.0)
    assert list(agenda.take(6.0)) == []


def test_never_is_never():
    agenda = Agenda()
    agenda.put(A, math.inf)
    assert list(agenda.take(1e12)) == []


@given(st.lists(st.tuples(st.sampled_from("abc"), TIMES), max_size=20), st.lists(TIMES, max_size=20).map(sorted))
def test_each_key_comes_out_at_the_first_look_after_its_earliest_time(puts, looks):
    agenda, earliest = Agenda(), {}
    for name, when in puts:
        agenda.put(Key("default", name), when)
        earliest[name] = min(when, earliest.get(name, when))
    for now in looks:
        taken = [key.name for key in agenda.take(now)]
        assert len(taken) == len(set(taken))
        assert all(earliest.pop(name) <= now + SLOT for name in taken)
        assert all(when > now for when in earliest.values())


@given(st.lists(TIMES, max_size=50))
def test_it_holds_no_more_than_one_living_entry_a_key(times):
    agenda = Agenda()
    for when in times:
        agenda.put(A, when)
    assert len(list(agenda.take(100.0))) == bool(times)
