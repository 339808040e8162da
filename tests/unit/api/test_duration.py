"""Durations read as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_api.duration import Duration


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1m30s", 90), ("250ms", 0.25), ("1.5h", 5400), ("0s", 0)])
def test_a_duration_reads_as_its_seconds(text, seconds):
    assert Duration.parse(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "-5s", "5 s", "5d", "s", "1h 5m", "٣s", "5s\n"])
def test_what_is_no_duration_is_refused_by_its_text(text):
    with pytest.raises(ValueError, match="is not a duration"):
        Duration.parse(text)


@given(st.integers(0, 10**9))
def test_a_duration_prints_as_text_that_reads_back(milliseconds):
    duration = Duration(milliseconds / 1000)
    assert abs(Duration.parse(str(duration)) - duration) < 0.001
