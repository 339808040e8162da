"""Worked cases of Knative's published rules, each number derived beside it, against what we decide.

Sources (knative/serving): ``pkg/autoscaler/scaling/autoscaler.go`` for the decision, ``pkg/autoscaler/aggregation/
bucketing.go`` for the averages, ``pkg/reconciler/autoscaling/resources/target.go`` for targets. Knative's defaults
unless a case says otherwise: target 100 x 70 % = 70, window 60 s, panic 10 % and 200 %, up 1000, down 2.
"""

import pytest

from wick_api.duration import Duration
from wick_api.function import FunctionSpec
from wick_api.scale import Metric, Panic, Scale
from wick_autoscaler.decisions.decision import Seen, Signal, Why, decide, recommend
from wick_autoscaler.decisions.policy import goal, panic_window
from wick_autoscaler.decisions.window import History, smoothing_over

BIG = 10_000  # as max: Knative's 0, unlimited


def advise(stable, panic, ready, target=70.0, *, scale=None, **seen):
    """Knative's `Scale()` for one tick."""
    return recommend(
        scale or Scale(max=BIG),
        Seen(replicas=ready, ready=ready, signals=(Signal("concurrency", target, stable, panic),), **seen),
    )


# --- rate limits: S = min(max(ceil(stable/target), floor(r/2)), ceil(1000 r)), r = max(1, ready)
@pytest.mark.parametrize(
    ("stable", "ready", "up", "down", "expected", "why"),
    [
        (0.0, 0, 1000, 2, 0, "nothing wants nothing: max(0, floor(1/2)=0)"),
        (0.0, 1, 1000, 2, 0, "floor(1/2) = 0, so one may go"),
        (0.0, 2, 1000, 2, 1, "floor(2/2) = 1 is left"),
        (0.0, 3, 1000, 2, 1, "floor(3/2) = 1 is left: floor, so it can always shrink"),
        (0.0, 10, 1000, 2, 5, "floor(10/2)"),
        (0.0, 11, 1000, 2, 5, "floor(11/2)"),
        (1e-6, 1, 1000, 2, 1, "ceil of the least demand is 1"),
        (70.0, 1, 1000, 2, 1, "exactly one target: ceil(1.0)"),
        (70.000001, 1, 1000, 2, 2, "just over one target"),
        (69.9, 1, 1000, 2, 1, "just under"),
        (140.0, 2, 1000, 2, 2, "two targets, two pods"),
        (141.0, 2, 1000, 2, 3, "ceil(2.014)"),
        (700.0, 20, 1000, 2, 10, "ceil(10) = floor(20/2): not limited"),
        (630.0, 20, 1000, 2, 10, "ceil(9) raised to floor(20/2)"),
        (630.0, 20, 1000, 3, 9, "down rate 3: floor(20/3) = 6 lets 9 through"),
        (70.0 * 4, 1, 1000, 2, 4, "no limit below ceil(1000 x 1)"),
        (70.0 * 2000, 1, 1000, 2, 1000, "ceil(1000 x 1)"),
        (70.0 * 2000, 0, 1000, 2, 1000, "at zero r is max(1, 0)"),
        (30.0, 3, 1.1, 2, 1, "nothing to do with the up rate"),
        (70.0 * 9, 3, 1.1, 2, 4, "ceil(1.1 x 3 = 3.3) = 4: ceil, so it can always grow"),
        (70.0 * 9, 10, 1.5, 2, 9, "ceil(15) does not limit 9"),
        (70.0 * 40, 10, 1.5, 2, 15, "ceil(1.5 x 10)"),
    ],
)
def test_rate_limits(stable, ready, up, down, expected, why):
    scale = Scale(max=BIG, up_rate=up, down_rate=down, panic=Panic(threshold=1000))
    assert advise(stable, 0.0, ready, scale=scale).wanted == expected, why


# --- panic: over = ceil(panic/target) / r >= 2; desired = max(S, P, peak) while panicking
@pytest.mark.parametrize(
    ("stable", "panic", "ready", "threshold", "over", "expected", "why"),
    [
        (70.0, 70.0, 1, 200, False, 1, "1/1 < 2"),
        (70.0, 140.0, 1, 200, True, 2, "2/1 >= 2: at the threshold counts"),
        (70.0, 71.0, 1, 200, True, 2, "it is the rounded-up number that is compared: ceil(1.01)/1 = 2"),
        (140.0, 210.0, 2, 200, False, 2, "3/2 < 2; the stable number holds"),
        (140.0, 211.0, 2, 200, True, 4, "ceil(3.01) = 4; 4/2 >= 2; max(2, 4)"),
        (0.0, 70.0, 0, 200, False, 0, "from zero, 1/max(1,0) < 2"),
        (0.0, 700.0, 0, 200, True, 10, "10/1 >= 2"),
        (700.0, 350.0, 2, 200, True, 10, "5/2 >= 2, yet the stable number is larger: max(10, 5)"),
        (70.0, 105.0, 1, 110, True, 2, "threshold 110 %: 2/1 >= 1.1"),
        (70.0, 690.0, 1, 1000, True, 10, "threshold 1000 %: ceil(9.86)=10; 10/1 >= 10"),
        (70.0, 630.0, 1, 1000, False, 1, "9/1 < 10"),
        (70.0, 70.0 * 5000, 2, 200, True, 2000, "the short window obeys the up rate too: ceil(1000 x 2)"),
    ],
)
def test_panic_entry(stable, panic, ready, threshold, over, expected, why):  # noqa: PLR0913, PLR0917 - the columns of a table
    scale = Scale(max=BIG, panic=Panic(threshold=threshold))
    advice = advise(stable, panic, ready, scale=scale)
    assert (advice.over, advice.wanted) == (over, expected), why


# --- panic, later: leave when panicTime + window < now, strictly; never below the peak until then
@pytest.mark.parametrize(
    ("panic_for", "peak", "stable", "panic", "ready", "expected", "panicking"),
    [
        (0.0, 10, 70.0, 70.0, 10, 10, True),  # load gone, just entered: the peak holds
        (59.0, 10, 0.0, 0.0, 10, 10, True),  # one second left
        (60.0, 10, 0.0, 0.0, 10, 10, True),  # panicTime + 60 s < now is not yet true
        (60.1, 10, 0.0, 0.0, 10, 5, False),  # left: floor(10/2)
        (60.1, 10, 420.0, 0.0, 10, 6, False),  # left: ceil(420/70)
        (30.0, 4, 70.0 * 6, 70.0 * 5, 4, 6, True),  # the peak moves up with S
        (30.0, 4, 70.0, 70.0 * 9, 4, 9, True),  # and with P, which is over again
    ],
)
def test_panic_holds_and_ends(panic_for, peak, stable, panic, ready, expected, panicking):  # noqa: PLR0913, PLR0917 - the columns of a table
    advice = advise(stable, panic, ready, panic_for=panic_for, panic_peak=peak)
    assert (advice.wanted, advice.panicking) == (expected, panicking)


def test_a_panic_that_is_over_again_begins_anew():
    assert advise(70.0, 70.0 * 9, 4, panic_for=60.0, panic_peak=4).over


# --- activation-scale: dspc > 0 and desired < activation -> activation
@pytest.mark.parametrize(
    ("stable", "panic", "ready", "activation", "expected"),
    [
        (0.0, 0.0, 0, 5, 0),  # no load: not raised
        (1.0, 1.0, 0, 5, 5),
        (70.0 * 7, 70.0, 7, 5, 7),  # above it: untouched
        (1.0, 70.0 * 3, 1, 5, 5),  # in panic too
    ],
)
def test_activation_scale(stable, panic, ready, activation, expected):
    assert advise(stable, panic, ready, scale=Scale(max=BIG, activation=activation)).wanted == expected


# --- scale-down-delay: the largest number of the last `delay` seconds; then min and max
@pytest.mark.parametrize(
    ("stable", "ready", "peak", "bounds", "expected", "reason"),
    [
        (70.0, 4, 4, {}, 4, Why.DOWN_DELAY),
        (70.0 * 6, 4, 4, {}, 6, Why.STEADY),
        (70.0, 4, 0, {"min": 3}, 3, Why.MIN),
        (70.0 * 9, 4, 0, {"max": 5}, 5, Why.MAX),
        (70.0, 4, 7, {"max": 5}, 5, Why.MAX),
    ],
)
def test_delay_and_bounds(stable, ready, peak, bounds, expected, reason):
    scale = Scale(**({"max": BIG, "down_delay": Duration(60), "panic": Panic(threshold=1000)} | bounds))
    seen = Seen(
        replicas=ready,
        ready=ready,
        signals=(Signal("concurrency", 70.0, stable, 0.0),),
        in_use=1.0,
        delayed_peak=peak,
        floor=scale.min,
    )
    decision = decide(scale, seen)
    assert (decision.replicas, decision.reason) == (expected, reason)


# --- windows: linear is sum / valid seconds, rounded to 6 digits
def every_second(*values):
    """A history with one bucket a second, as Knative's collector writes it."""
    made = History(0)
    for second, value in enumerate(values):
        made.add(second, second + 1, value, 0)
    return made


@pytest.mark.parametrize(
    ("values", "window", "expected", "why"),
    [
        ([5.0] * 60, 60, 5.0, "a full window"),
        ([5.0] * 10, 60, 5.0, "a young one: 50 / 10 valid buckets, not / 60"),
        ([0.0] * 30 + [6.0] * 30, 60, 3.0, "half of it"),
        ([1.0] * 54 + [7.0] * 6, 6, 7.0, "the panic window is the last six"),
        ([1.0] * 54 + [7.0] * 6, 60, 1.6, "(54 + 42) / 60"),
        ([9.0] + [0.0] * 5, 60, 1.5, "gaps count as nothing: 9 / 6"),
        ([100.0] * 60 + [0.0] * 60, 60, 0.0, "all of it older than the window"),
        ([100.0] * 60 + [0.0] * 15, 60, 75.0, "15 of 60 are nothing"),
        ([0.1] * 3, 60, 0.1, "0.30000000000000004 / 3, rounded to six digits"),
    ],
)
def test_linear_windows(values, window, expected, why):
    assert every_second(*values).concurrency(len(values), window) == expected, why


# --- windows: weighted-exponential is sum of v_i s (1-s)^i, newest first
@pytest.mark.parametrize(
    ("values", "window", "expected"),
    [
        ([0.0] * 59 + [10.0], 60, 10 * 0.2),  # n >= 42: s = 0.2
        ([0.0] * 58 + [10.0, 0.0], 60, 10 * 0.2 * 0.8),
        ([0.0] * 5 + [10.0], 6, 10 * (1 - 0.0001 ** (1 / 6))),
        ([10.0] * 6, 6, 10 * 0.9999),  # the weights of a full window add up to 99.99 %
        ([10.0, 20.0], 60, 20 * 0.2 + 10 * 0.2 * 0.8),
    ],
)
def test_exponential_windows(values, window, expected):
    assert every_second(*values).weighted_concurrency(len(values), window) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("buckets", "coefficient"), [(6, 0.78456), (30, 0.26436), (41, 0.20120), (42, 0.2), (60, 0.2)])
def test_smoothing(buckets, coefficient):
    assert smoothing_over(buckets) == pytest.approx(coefficient, abs=5e-5)


# --- targets: max(0.01, total x utilisation)
@pytest.mark.parametrize(
    ("metric", "concurrency", "utilization", "expected", "why"),
    [
        (Metric(), 100, 70, 70.0, "containerConcurrency 100 x 70 %"),
        (Metric(), 1, 70, 0.7, "containerConcurrency 1"),
        (Metric(target=50), 100, 70, 35.0, "the annotation, below containerConcurrency"),
        (Metric(target=200), 100, 70, 70.0, "min(target, containerConcurrency)"),
        (Metric(target=0.01), 10, 1, 0.01, "never below 0.01"),
        (Metric(), 10, 100, 10.0, "utilisation 100 %"),
        (Metric(type="rps"), 10, 70, 140.0, "200 x 70 %"),
        (Metric(type="rps", target=50), 10, 80, 40.0, "the annotation x utilisation"),
    ],
)
def test_targets(metric, concurrency, utilization, expected, why):
    spec = FunctionSpec(image="x", concurrency=concurrency, scale=Scale(utilization=utilization))
    assert goal(metric, spec) == pytest.approx(expected), why


@pytest.mark.parametrize(
    ("window", "percentage", "expected"),
    [(60, 10, 6), (6, 10, 1), (60, 1, 1), (65, 10, 7), (75, 10, 8), (3600, 100, 3600)],
)
def test_the_panic_window_is_whole_seconds_and_at_least_one(window, percentage, expected):
    """``round(window x percentage / 100)`` to a second, halves up."""
    assert panic_window(Scale(window=Duration(window), panic=Panic(window=percentage))) == expected
