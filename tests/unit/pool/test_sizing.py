"""How many warm pods a pool keeps."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from wick_operator.pool.decisions.sizing import MEMORY, StartDemand, dormant, size, step
from wick_operator.pool_settings import PoolSettings

SETTINGS = st.builds(lambda low, more: PoolSettings(min=low, max=low + more), st.integers(0, 20), st.integers(1, 50))
RATE = st.floats(0, 1000)
REFILL = st.floats(0, 100)
BURST = st.integers(0, 1000)


@given(SETTINGS, RATE, REFILL, BURST)
def test_the_size_is_within_its_bounds(settings, rate, refill, burst):
    assert settings.min <= size(settings, rate, refill, burst) <= settings.max


@given(SETTINGS, RATE, RATE, REFILL, BURST, BURST)
def test_more_starts_never_mean_a_smaller_pool(settings, rate, more, refill, burst, larger):
    one = size(settings, rate, refill, burst)
    assert size(settings, rate + more, refill, burst + larger) >= one


@given(SETTINGS, RATE, REFILL, REFILL, BURST)
def test_a_longer_refill_never_means_a_smaller_pool(settings, rate, refill, longer, burst):
    assert size(settings, rate, refill + longer, burst) >= size(settings, rate, refill, burst)


@given(SETTINGS, st.lists(st.floats(0, 100), max_size=50), st.integers(0, 70))
def test_a_pool_at_rest_is_at_its_minimum_after_a_look_for_each_pod_too_many(settings, starts, kept):
    demand, now = StartDemand(), 100 + MEMORY
    for at in sorted(starts):
        demand.started(at)
    for _ in range(max(1, kept - settings.min)):
        kept = step(size(settings, demand.rate(now), demand.refill, demand.burst(now)), kept, starting=False)
    assert kept == settings.min


def test_a_pool_at_rest_has_its_minimum_and_a_pool_switched_off_has_none():
    assert size(PoolSettings(min=2, max=9), 0, 1, 0) == 2
    assert size(PoolSettings(min=0, max=0), 50, 1, 50) == 0


def test_a_steady_rate_is_covered_with_two_deviations_to_spare():
    assert size(PoolSettings(min=1, max=99), rate=4, refill=1, burst=0) == 4 + 2 * 2


@given(st.integers(0, 50), st.integers(0, 50), st.booleans())
def test_a_pool_shrinks_by_one_and_grows_at_once_unless_functions_start(wanted, before, starting):
    now = step(wanted, before, starting=starting)
    if wanted <= before:
        assert now == max(wanted, before - 1)
    else:
        assert now == (before if starting else wanted)
    assert step(wanted, None, starting=starting) == wanted


@given(SETTINGS, st.integers(0, 50), st.integers(0, 99))
def test_dormant_pods_make_the_pool_as_large_as_its_functions_are_many_and_no_larger(settings, most, functions):
    found = dormant(structs.replace(settings, dormant=most), functions)
    assert 0 <= found <= most
    assert found in {0, most} or settings.min + found == functions


def test_a_pool_switched_off_has_no_dormant_pods_either():
    assert dormant(PoolSettings(min=0, max=0, dormant=5), 9) == 0


def test_a_burst_is_remembered_and_then_forgotten():
    demand = StartDemand()
    for number in range(7):
        demand.started(100 + number / 100)
    assert demand.burst(101) == 7
    assert demand.burst(100 + MEMORY - 1) == 7
    assert demand.burst(101 + MEMORY) == 0


@given(st.lists(st.floats(0, 100), max_size=30))
def test_a_burst_is_what_any_one_refill_would_have_met(starts):
    demand = StartDemand()
    for at in sorted(starts):
        demand.started(at)
    brute = max((sum(at - demand.refill <= other <= at for other in starts) for at in starts), default=0)
    assert demand.burst(100) == brute


@given(st.lists(st.floats(0.1, 50), min_size=1))
def test_the_refill_time_stays_among_what_was_seen(times):
    demand = StartDemand()
    first = demand.refill
    for seconds in times:
        demand.refilled(seconds)
    assert min(first, *times) - 1e-9 <= demand.refill <= max(first, *times) + 1e-9
