from hypothesis import given
from hypothesis import strategies as st

from wick_cli.command.cold_start import Start, as_text, measured, timing
from wick_cli.platform import FunctionAnswer


def test_phases_come_from_the_routers_headers():
    headers = {
        "Kubewick-Cold-Start": "12",
        "Server-Timing": "queue;dur=12.1, connect;dur=0.3, fork;dur=3, cache;desc=x",
    }
    assert measured(FunctionAnswer(200, headers), 14.123) == Start(14.12, 12.0, {"connect": 0.3, "fork": 3.0})


def test_a_warm_answer_has_waited_for_nothing():
    assert measured(FunctionAnswer(200, {}), 1.0) == Start(1.0, 0.0, {})


@given(st.text())
def test_any_header_is_read_without_an_error(header):
    assert all(value >= 0 for value in timing(header).values())


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_percentiles_are_in_order_and_every_start_counts(totals):
    text = as_text([Start(total, total, {"fork": total / 2}) for total in totals])
    assert text.startswith(f"{len(totals)} starts: p50 ")
    assert f"max {max(totals):.1f} ms" in text


def test_starts_that_were_none_are_said_to_be():
    assert "not counted: 2 that found an instance running" in as_text([Start(9, 8, {})], running=2)
