"""A router's text becomes differences by function, whatever is around them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_api.names import Key
from wick_autoscaler.decisions import exposition
from wick_autoscaler.decisions.demand import IN_FLIGHT, REQUESTS, SECONDS, WAITING, Reading

A, B = Key("default", "a"), Key("default", "b")


def text(seconds=None, requests=None, in_flight=None, waiting=None):
    """A router's metrics; each argument maps a function to a number."""
    lines = ["# HELP kubewick_function_inflight_seconds_total x", "process_cpu_seconds_total 3", ""]
    for name, extra, numbers in (
        ("kubewick_function_inflight_seconds_total", ',revision="r1"', seconds),
        ("kubewick_function_requests_total", ',revision="r1",code="200"', requests),
        ("kubewick_function_in_flight", "", in_flight),
        ("kubewick_function_queue_depth", "", waiting),
    ):
        lines += [
            f'{name}{{namespace="{key.namespace}",function="{key.name}"{extra}}} {number}'
            for key, number in (numbers or {}).items()
        ]
    return "\n".join([*lines, ""]).encode()


def test_counters_become_increases():
    router = Reading()
    router.feed(text(seconds={A: 10, B: 1}, requests={A: 5}))
    changes = router.feed(text(seconds={A: 12.5, B: 1}, requests={A: 8}))
    assert changes == {A: [2.5, 3, 0, 0]}


def test_the_first_reading_tells_who_had_demand_but_not_how_much():
    assert Reading().feed(text(seconds={A: 10, B: 0})) == {A: [0, 0, 0, 0]}


def test_a_function_that_appears_later_counts_whole():
    router = Reading()
    router.feed(text(seconds={A: 10}))
    assert router.feed(text(seconds={A: 10, B: 0.2}, requests={B: 1})) == {B: [0.2, 1, 0, 0]}


def test_a_router_that_began_anew_counts_from_zero():
    router = Reading()
    router.feed(text(seconds={A: 10}))
    assert router.feed(text(seconds={A: 4})) == {A: [4, 0, 0, 0]}


def test_gauges_are_differences_too_and_are_taken_back_when_the_router_goes():
    router = Reading()
    assert router.feed(text(in_flight={A: 3}, waiting={A: 2}))[A] == [0, 0, 3, 2]
    assert router.feed(text(in_flight={A: 1}, waiting={A: 2}))[A] == [0, 0, -2, 0]
    assert router.gone() == {A: [0, 0, -1, -2]}


def test_a_gauge_that_is_no_longer_written_is_nothing():
    router = Reading()
    router.feed(text(seconds={A: 1}, in_flight={A: 3}))
    assert router.feed(text(seconds={A: 1}))[A][IN_FLIGHT] == -3


def test_revisions_and_codes_add_up():
    router = Reading()
    line = 'kubewick_function_requests_total{namespace="default",function="a",revision="%s",code="%s"} %d\n'
    router.feed("".join(line % (r, c, 1) for r in "xy" for c in (200, 500)).encode())
    changes = router.feed("".join(line % (r, c, 3) for r in "xy" for c in (200, 500)).encode())
    assert changes[A][REQUESTS] == 8


@pytest.mark.parametrize(
    "line",
    [
        b'kubewick_function_queue_depth{function="a",namespace="default"} 4',
        b'kubewick_function_queue_depth{ namespace = "default" , function="a", }  4  1700000000000',
        b'kubewick_function_queue_depth{namespace="default",function="a",pod="x} y"} 4.0 # {trace="q} 9"} 1.0',
        b'kubewick_function_queue_depth{namespace="default",function="a",note="say \\"hi\\"\\n"} +4e0',
    ],
)
def test_any_valid_spelling_is_read(line):
    router = Reading()
    assert router.feed(line)[A][WAITING] == 4
    assert router.feed(line + b"\n") in ({}, {A: [0, 0, 0, 0]})


@pytest.mark.parametrize("broken", [b"} 4", b'namespace="default",function="a"} NaN', b'namespace="x"} 1', b'a="b} 1'])
def test_a_broken_line_hides_no_other(broken):
    router = Reading()
    changes = router.feed(b"kubewick_function_queue_depth{" + broken + b"\n" + text(waiting={B: 1}))
    assert changes == {B: [0, 0, 0, 1]}
    assert router.broken == 1


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 9), max_size=3), max_size=8))
def test_gauges_always_add_up_to_what_is_written_last(readings):
    router, sums = Reading(), dict.fromkeys("abc", 0.0)
    for reading in readings:
        for key, change in router.feed(text(waiting={Key("default", name): n for name, n in reading.items()})).items():
            sums[key.name] += change[WAITING]
    assert sums == {name: (readings[-1] if readings else {}).get(name, 0) for name in "abc"}


PAGES = st.lists(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3), min_size=1), min_size=1, max_size=6)


@given(PAGES)
def test_comparing_lines_in_place_reads_the_same_as_comparing_them_as_sets(pages):
    """A comment that comes first now and then shifts every line, so that nothing stands in its place."""
    placed, shifted = Reading(), Reading()
    for number, page in enumerate(pages):
        values = {Key("default", name): value for name, value in page.items()}
        written = text(seconds=values, waiting=values)
        assert placed.feed(written) == shifted.feed(b"# moved\n" * (1 + number % 2) + written)
    assert placed.gone() == shifted.gone()


def test_a_line_that_makes_room_for_another_is_gone():
    router = Reading()
    router.feed(text(waiting={A: 3}))
    assert router.feed(b"\n")[A] == [0, 0, 0, -3]
    router.feed(text(waiting={A: 3}))
    assert router.feed(text(waiting={B: 2})) == {A: [0, 0, 0, -3], B: [0, 0, 0, 2]}


def test_a_router_that_knew_of_nothing_at_first_counts_whole_later():
    router = Reading()
    assert router.feed(b"") == {}
    assert router.feed(text(seconds={A: 2})) == {A: [2, 0, 0, 0]}


@given(st.lists(st.lists(st.floats(0, 50), min_size=1, max_size=5), min_size=1, max_size=5))
def test_increases_survive_restarts_of_the_router(lives):
    router, counted, total = Reading(), 0.0, 0.0
    router.feed(text(seconds={B: 1}))
    for life in lives:
        value = 0.0
        router.feed(text(seconds={A: 0.0, B: 1}))
        for increase in life:
            value, total = value + increase, total + increase
            counted += router.feed(text(seconds={A: value, B: 1})).get(A, [0.0] * 4)[SECONDS]
    assert counted == pytest.approx(total)


@given(st.binary(max_size=60))
def test_no_text_breaks_the_reader(junk):
    Reading().feed(b"kubewick_function_in_flight{" + junk)
    exposition.read(junk)
