"""Late pages: what routers counted is put where it was counted, and counted once."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wick_api.names import Key
from wick_autoscaler.decisions.clock_alignment import Axis
from wick_autoscaler.decisions.demand import SECONDS

KEY = Key("default", "hello")
LATE = st.floats(0, 0.7)
"""Seconds after a look began at which a router writes its page, and after that until the page has come."""
PAGES = st.lists(st.tuples(LATE, LATE, LATE, LATE, st.booleans()), min_size=1, max_size=30)


def changed(seconds, requests=0.0, in_flight=0.0):
    return {KEY: [seconds, requests, in_flight, 0.0]}


def looks(pages, rates, *, clocks=(1000.0, -3.0)):
    """Two routers under a steady load, looked at once a second: (seconds since the last look, what was counted).

    Where the last of a look's numbers is true the second router does not answer, and the common moment stands still.
    """
    routers, counted_until, ended = [Axis(), Axis()], [0.0, 0.0], 0.0
    for router, clock in zip(routers, clocks, strict=True):
        router.take({}, router.moment(0.0, clock), 0.0)
    for began, late in enumerate(pages, start=2):
        written = [began + late[0], began + late[1]]
        answered = routers[: 1 if late[4] else 2]
        moments = [
            router.moment(at + slow, at + clock)
            for router, at, slow, clock in zip(answered, written, late[2:4], clocks, strict=False)
        ]
        common, total = ended if late[4] else max(ended, min(moments)), 0.0
        for number, router in enumerate(answered):
            new = changed(rates[number] * (written[number] - counted_until[number]))
            counted_until[number] = written[number]
            total += router.take(new, moments[number], common).get(KEY, [0.0])[SECONDS]
        yield common - ended, total
        ended = common
    yield 0.0, sum(router.left({}).get(KEY, [0.0])[SECONDS] for router in routers)


ON_TIME, SILENT = (0.0, 0.0, 0.0, 0.0, False), (0.0, 0.0, 0.0, 0.0, True)


@example([SILENT, SILENT, (0.4375, 0.625, 0.0, 0.0, False), ON_TIME], 0.5, 1.0)
@given(PAGES, st.floats(0.1, 50), st.floats(0.1, 50))
def test_a_steady_load_looks_steady_however_late_and_uneven_the_pages_come(pages, one, other):
    for length, counted in list(looks(pages, (one, other)))[:-1]:
        assert counted == pytest.approx((one + other) * length, rel=0.2)


@given(PAGES, st.floats(0, 50), st.floats(0, 50))
def test_whatever_is_read_counts_once(pages, one, other):
    read = [page[1] + began for began, page in enumerate(pages, start=2) if not page[4]]
    total = one * (len(pages) + 1 + pages[-1][0]) + other * max(read, default=0.0)
    assert sum(counted for _, counted in looks(pages, (one, other))) == pytest.approx(total)


@given(st.lists(st.tuples(LATE, LATE), min_size=1))
def test_no_page_is_put_after_the_moment_it_came(pages):
    router = Axis()
    for second, (late, later) in enumerate(pages):
        assert router.moment(second + late + later, second + late + 500) <= second + late + later + 1e-9


def test_gauges_are_never_held_back():
    router = Axis()
    router.take({}, 1.0, 1.0)
    assert router.take(changed(10, 20, 3), 2.0, 1.5) == {KEY: [5, 10, 3, 0]}
    assert router.take({}, 3.0, 3.0) == {KEY: [5, 10, 0, 0]}


def test_while_a_router_is_awaited_nothing_of_the_others_is_counted_and_then_all_of_it():
    router = Axis()
    router.take({}, 1.0, 1.0)
    for moment in (2.0, 3.0):
        assert router.take(changed(10, 20, 1), moment, 1.0) == {KEY: [0, 0, 1, 0]}
    assert router.take(changed(10, 20), 4.0, 4.0) == {KEY: [30, 60, 0, 0]}


def test_what_is_held_back_of_a_router_that_goes_is_not_lost():
    router = Axis()
    router.take({}, 1.0, 1.0)
    router.take(changed(10, 20), 2.0, 1.5)
    assert router.left(changed(0, 0, -3)) == {KEY: [5, 10, -3, 0]}


def test_a_router_that_tells_no_clock_is_taken_at_the_moment_its_page_came():
    assert Axis().moment(7.5, None) == 7.5


def test_a_clock_that_goes_back_is_another_one():
    router = Axis()
    router.moment(10.0, 5000.0)
    assert router.moment(11.0, 3.0) == 11.0
    assert router.moment(12.2, 4.0) == pytest.approx(12.0, abs=0.01)


@pytest.mark.parametrize("rate", [1 - 1e-4, 1.0, 1 + 1e-4])
def test_a_clock_that_drifts_is_followed(rate):
    router = Axis()
    for came in range(20_000):
        assert router.moment(came, came * rate - 5.0) == pytest.approx(came, abs=0.01)
