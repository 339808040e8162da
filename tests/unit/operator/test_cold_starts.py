"""Which functions a router has started from zero since the last look, and what their status says."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from wick_api.names import Key
from wick_operator.autoscaler.cold_starts import ReportedColdStart, counts, started, status

names = st.text("abc-", min_size=1, max_size=4)
totals = st.dictionaries(st.tuples(names, names, st.sampled_from(["warm-pool", "deployment"])), st.integers(1, 9))


def page(total):
    lines = [
        f'kubewick_function_cold_starts_total{{namespace="{namespace}",function="{name}",path="{path}"}} {count}'
        for (namespace, name, path), count in total.items()
    ]
    return "\n".join(["# TYPE kubewick_function_cold_starts_total counter", *lines, ""]).encode()


@given(totals, totals)
def test_exactly_the_functions_whose_counts_differ_have_started(before, now):
    differ = {Key(*series[:2]) for series, count in now.items() if before.get(series) != count}
    assert started(counts(page(before)), counts(page(now))) == differ


@given(totals)
def test_at_rest_nothing_has_started(total):
    assert started(counts(page(total)), counts(page(total))) == set()


def test_the_status_says_when_it_was():
    told = status(ReportedColdStart(17.4, "warm-pool", 60.0), datetime(2026, 1, 1, tzinfo=UTC))
    assert told == {"milliseconds": 17, "path": "warm-pool", "time": "2025-12-31T23:59:00Z"}
