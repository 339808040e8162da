"""Means over windows are exact, however the samples fall."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_autoscaler.decisions.window import History, smoothing_over


def history(samples, began=0.0):
    """A history of (when, request-seconds, requests) increments."""
    made, last = History(began), began
    for when, seconds, requests in samples:
        made.add(last, when, seconds, requests)
        last = when
    return made


def test_the_mean_is_the_increase_over_the_window():
    steady = history([(second, 5.0, 10.0) for second in range(1, 121)])
    assert steady.concurrency(120, 60) == 5
    assert steady.rate(120, 6) == 10


def test_a_young_history_is_averaged_over_its_age():
    assert history([(1, 8, 0), (2, 8, 0)]).concurrency(2, 60) == 8


def test_less_than_a_second_is_averaged_over_a_second():
    assert history([(0.01, 0, 1)]).rate(0.01, 60) == 1


def test_silence_counts_as_nothing():
    assert history([(30, 60, 0)]).concurrency(60, 60) == 1
    assert history([(30, 60, 0)]).concurrency(95, 60) == 0


def test_a_late_sample_does_not_smear_over_the_silence_before_it():
    late = History(0)
    late.add(0, 1, 1, 1)
    late.add(99, 100, 6, 6)
    assert late.concurrency(100, 6) == 1
    assert late.concurrency(100, 60) == 0.1


def test_a_restart_forgets():
    again = history([(second, 5.0, 0) for second in range(1, 60)])
    again.restart(100)
    again.add(100, 101, 9, 0)
    assert again.concurrency(101, 60) == 9


def test_forgetting_changes_no_mean_within_reach():
    long = history([(second, float(second % 7), 1) for second in range(1, 600)])
    before = long.concurrency(599, 60)
    long.forget(599 - 61)
    assert long.concurrency(599, 60) == before


@pytest.mark.parametrize(("seconds", "expected"), [(6, 0.785), (30, 0.264), (42, 0.2), (60, 0.2)])
def test_smoothing_is_knatives(seconds, expected):
    assert smoothing_over(seconds) == pytest.approx(expected, abs=6e-4)


def test_the_weighted_mean_of_a_steady_load_is_that_load():
    assert history([(second, 5.0, 0) for second in range(1, 121)]).weighted_concurrency(120, 60) == pytest.approx(
        5, rel=1e-3
    )


@given(
    st.lists(st.tuples(st.floats(0.01, 5), st.floats(0, 100)), min_size=1, max_size=200),
    st.sampled_from([6.0, 60.0]),
)
def test_a_mean_lies_between_the_least_and_the_most(steps, window):
    made, now, rates = History(0), 0.0, [0.0]
    for length, level in steps:
        made.add(now, now + length, level * length, 0)
        now += length
        made.forget(now - 61)
        rates.append(level)
    assert -1e-6 <= made.concurrency(now, window) <= max(rates) + 1e-6
    assert -1e-6 <= made.weighted_concurrency(now, window) <= max(rates) + 1e-6
