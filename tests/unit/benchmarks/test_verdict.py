"""What rounds of two trees say about each figure."""

import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks" / "compare"))

import verdict

figures = st.floats(0.1, 1000)


def judged(pairs, worse=3.0):
    (row,) = verdict.rows([({"a": base}, {"a": this}) for base, this in pairs], worse)
    return row


@given(st.lists(figures, min_size=1))
def test_equal_trees_are_never_worse(values):
    row = judged([(value, value) for value in values])
    assert (row.ratio, row.worse) == (1.0, False)


def test_a_tree_that_costs_five_percent_more_in_every_round_is_worse():
    assert judged([(100, 105), (200, 210), (50, 52.5)]).worse


def test_what_is_within_the_bound_is_not_worse():
    assert not judged([(100, 102.9)] * 9).worse
    assert not judged([(100, 105)] * 9, worse=6).worse


def test_a_median_that_half_of_the_rounds_deny_is_not_believed():
    assert not judged([(100, 110)] * 5 + [(100, 99)] * 4).worse
    assert judged([(100, 110)] * 7 + [(100, 99)] * 2).worse


@given(st.lists(st.tuples(figures, figures), min_size=1))
def test_the_ratio_is_taken_pair_by_pair_so_a_slower_machine_changes_nothing(pairs):
    slower = [(base * factor, this * factor) for factor, (base, this) in enumerate(pairs, 1)]
    assert abs(judged(slower).ratio - judged(pairs).ratio) < 1e-9 * judged(pairs).ratio


def test_a_figure_that_one_tree_lacks_is_left_out():
    assert [row.name for row in verdict.rows([({"a": 1, "b": 2}, {"b": 2})], 3)] == ["b"]


def test_the_table_names_what_is_worse():
    _, _, fine, bad = verdict.table(verdict.rows([({"fine": 1.0, "bad": 1.0}, {"fine": 1.0, "bad": 2.0})], 3))
    assert fine == "| fine | 1 | 1 | 1.000 (1.000 to 1.000) |  |"
    assert bad == "| bad | 1 | 2 | 2.000 (2.000 to 2.000) | WORSE |"
