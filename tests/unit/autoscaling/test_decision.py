"""Properties of the one function that decides how many instances a function has."""

import math

from hypothesis import assume, given
from hypothesis import strategies as st

from wick_api.duration import Duration
from wick_api.scale import Panic, Scale
from wick_autoscaler.decisions.decision import Seen, Signal, Why, decide

# Ordinary values, so that the rules meet each other; any value at all where it says `wild`.
loads = st.floats(0, 300)
wild = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
counts = st.integers(0, 60)
seconds = st.floats(0, 120)
mostly = st.sampled_from([True, True, True, True, False])


@st.composite
def scales(draw):
    most = draw(st.integers(1, 60))
    return Scale(
        min=draw(st.integers(0, most)),
        max=most,
        initial=draw(st.integers(0, most)),
        activation=draw(st.integers(1, most)),
        window=Duration(draw(st.integers(1, 90))),
        panic=Panic(window=draw(st.floats(1, 100)), threshold=draw(st.floats(110, 1000))),
        up_rate=draw(st.floats(1, 1000, exclude_min=True)),
        down_rate=draw(st.floats(1, 1000, exclude_min=True)),
        down_delay=Duration(draw(st.sampled_from([0, 30]))),
        idle=Duration(draw(st.integers(0, 90))),
    )


@st.composite
def signals(draw, values=loads):
    unread = not draw(mostly)
    return Signal(
        "concurrency",
        draw(st.floats(0.01, 20)),
        None if unread else draw(values),
        None if unread else draw(values),
    )


@st.composite
def sights(draw, values=loads):
    return Seen(
        replicas=draw(counts),
        ready=draw(counts),
        signals=tuple(draw(st.lists(signals(values), max_size=2))),
        in_use=draw(st.just(0.0) | values),
        idle_for=draw(seconds),
        known_for=draw(seconds),
        complete=draw(mostly),
        floor=draw(counts),
        panic_for=draw(st.none() | seconds),
        panic_peak=draw(counts),
        delayed_peak=draw(counts),
        fresh=not draw(mostly),
    )


def changed(seen, **fields):
    return Seen(**{name: getattr(seen, name) for name in seen.__struct_fields__} | fields)


@given(scales(), sights(wild))
def test_a_decision_is_within_bounds_and_comes_with_a_time(scale, seen):
    decision = decide(scale, seen)
    assert min(seen.floor, scale.max) <= decision.replicas <= scale.max
    assert decision.recheck_after > 0
    assert isinstance(decision.reason, Why)


@given(scales(), sights(wild), st.lists(st.tuples(wild, wild), min_size=2, max_size=2), wild)
def test_more_load_never_means_fewer_instances(scale, seen, more, waiting):
    louder = tuple(
        signal
        if signal.stable is None
        else Signal(signal.type, signal.target, max(signal.stable, stable), max(signal.panic, panic))
        for signal, (stable, panic) in zip(seen.signals, more, strict=False)
    )
    heavier = changed(seen, signals=louder, in_use=max(seen.in_use, waiting))
    assert decide(scale, heavier).replicas >= decide(scale, seen).replicas


@given(
    scales(), sights(), st.floats(min_value=0, exclude_min=True, allow_infinity=False), st.sampled_from([0.0, 7200.0])
)
def test_anything_in_flight_or_waiting_keeps_an_instance(scale, seen, in_use, idle_for):
    """However long ago the last demand is said to have been, and with nothing else that would keep one."""
    assert decide(scale, changed(seen, in_use=in_use, idle_for=idle_for, known_for=7200.0, floor=0)).replicas >= 1


@given(scales(), sights())
def test_idle_past_the_grace_is_the_floor(scale, seen):
    assume(all(signal.stable is not None for signal in seen.signals))
    rested = changed(
        seen,
        in_use=0.0,
        idle_for=float(max(scale.idle, scale.down_delay)),
        known_for=float(scale.window),
        complete=True,
        fresh=False,
    )
    assert decide(scale, rested).replicas == min(seen.floor, scale.max)


@given(scales(), sights())
def test_a_function_that_runs_is_not_stopped_before_its_grace(scale, seen):
    assume(seen.replicas and seen.idle_for < scale.idle)
    assert decide(scale, seen).replicas >= 1


@given(scales(), sights())
def test_nothing_is_taken_away_while_part_of_the_demand_is_unknown(scale, seen):
    blind = decide(scale, changed(seen, complete=False))
    assert blind.replicas >= min(seen.replicas, scale.max)


@given(scales(), sights())
def test_a_new_leader_takes_nothing_away_for_a_window(scale, seen):
    new = changed(seen, known_for=scale.window * 0.999, fresh=False)
    assert decide(scale, new).replicas >= min(seen.replicas, scale.max)


@given(scales(), sights())
def test_nothing_is_taken_away_in_a_panic(scale, seen):
    peak = decide(scale, seen)
    assume(peak.panicking)
    after = changed(seen, signals=(), panic_for=0.0, panic_peak=peak.wanted, idle_for=0.0, in_use=1.0)
    assert decide(scale, after).replicas >= min(peak.wanted, scale.max)


@given(scales(), sights())
def test_equal_input_gives_equal_output(scale, seen):
    assert decide(scale, seen) == decide(scale, changed(seen))


@given(scales(), sights())
def test_who_else_scales_is_left_alone(scale, seen):
    decision = decide(scale, changed(seen, others="kubectl scale"))
    assert (decision.replicas, decision.reason) == (seen.replicas, Why.OTHERS)


@given(st.floats(min_value=0.02, max_value=5000), st.integers(0, 200), st.integers(1, 300))
def test_a_fixed_load_converges_within_two_windows_and_stays(load, start, most):
    """The bound: two windows (a panic prolonged once, then out of it) and a step of one a halving of `start`."""
    scale = Scale(max=most)
    target, now, replicas, panic_since, peak = 7.0, 0, start, None, 0
    bound = 2 * 60 + math.ceil(math.log2(max(2, start))) + 2
    numbers = []
    while now < bound + 200:
        seen = Seen(
            replicas=replicas,
            ready=replicas,
            signals=(Signal("concurrency", target, load, load),),
            in_use=load,
            panic_for=None if panic_since is None else now - panic_since,
            panic_peak=peak,
        )
        decision = decide(scale, seen)
        panic_since = now if decision.over else panic_since if decision.panicking else None
        peak = decision.wanted if decision.panicking else 0
        replicas, now = decision.replicas, now + 1
        numbers.append(replicas)
    assert set(numbers[bound:]) == {max(1, min(most, math.ceil(load / target)))}


def test_the_largest_rates_the_crd_allows_are_decided_on():
    scale = Scale(up_rate=1.7e308, down_rate=1.7e308, target=5e-324)
    assert decide(scale, Seen(replicas=2, ready=2, signals=(Signal("concurrency", 5e-324, 1.0, 1.0),))).replicas == 10


def test_the_end_of_settling_is_looked_at():
    scale = Scale(max=10, window=Duration(60), idle=Duration(300))
    seen = Seen(replicas=5, ready=5, signals=(Signal("concurrency", 1.0, 0.0, 0.0),), idle_for=10, known_for=40)
    now, later = decide(scale, seen), decide(scale, changed(seen, idle_for=30, known_for=60))
    assert (now.reason, now.replicas) == (Why.SETTLING, 5)
    assert later.replicas < 5
    assert now.recheck_after == 20


@given(scales(), sights(), st.floats(0, 200))
def test_time_alone_changes_no_answer_before_the_next_look(scale, seen, passed):
    seen = changed(seen, signals=())
    decision = decide(scale, seen)
    assume(decision.recheck_after > 0.1 and passed < decision.recheck_after)
    panic = None if seen.panic_for is None else seen.panic_for + passed
    aged = changed(seen, idle_for=seen.idle_for + passed, known_for=seen.known_for + passed, panic_for=panic)
    assert decide(scale, aged).replicas == decision.replicas
