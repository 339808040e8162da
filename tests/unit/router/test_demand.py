"""The demand counter and the histogram."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_router.dispatch.demand import RevisionDemand
from wick_router.http.histogram import Histogram


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000))), st.integers(0, 3000))
def test_demand_is_the_sum_of_every_requests_time(spans, until):
    demand = RevisionDemand("r", 0.0)
    changes = sorted([(begin, 1) for begin, _ in spans] + [(begin + took, -1) for begin, took in spans])
    for moment, change in changes:
        if moment <= until:
            demand.add(change, float(moment))
    assert demand.read(until) == sum(
        max(0, min(begin + took, until) - begin) for begin, took in spans if begin <= until
    )


@given(st.lists(st.floats(0, 1000)))
def test_every_observation_is_in_the_first_bucket_it_fits(values):
    histogram = Histogram((0.1, 1.0, 10.0))
    for value in values:
        histogram.observe(value)
    assert histogram.count == len(values)
    assert histogram.counts[0] == sum(value <= 0.1 for value in values)
    assert histogram.sum == pytest.approx(sum(values))
