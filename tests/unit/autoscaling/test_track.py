"""A track turns what routers count into what a decision may depend on, and remembers what the next one needs."""

from datetime import UTC, datetime

from wick_api.function import parse
from wick_autoscaler.decisions.decision import Why, decide
from wick_autoscaler.decisions.function_state import Outside, Track
from wick_autoscaler.decisions.scaler import Replicas

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
QUERY = {"type": "prometheus", "query": "lag", "target": 10, "activationThreshold": 5}


def function(**scale):
    return parse(
        {
            "apiVersion": "kubewick.dev/v1alpha1",
            "kind": "Function",
            "metadata": {"name": "f"},
            "spec": {"image": "x", "scale": scale},
        }
    )


def ticks(track, levels, *, ready, start=0, wanted=None):
    """One look a second with so many requests at a time; the decision of each."""
    decisions = []
    for second, level in enumerate(levels, start=start + 1):
        if level:
            track.count(second - 1, second, [float(level), float(level), 0.0, 0.0], ready=ready)
        seen = track.seen(second, Replicas(ready if wanted is None else wanted, ready), complete=True)
        decision = decide(track.policy.scale, seen)
        track.remember(second, NOON, seen, decision)
        decisions.append(decision)
    return decisions


def test_demand_from_nothing_is_averaged_over_its_own_time():
    track = Track(function(max=100), 0)
    ticks(track, [0] * 300, ready=0)
    assert ticks(track, [70, 70], ready=0, start=300)[-1].replicas == 10


def test_demand_on_a_running_function_is_averaged_over_the_window():
    track = Track(function(max=100), 0)
    ticks(track, [0] * 300, ready=1)
    assert ticks(track, [7] * 30, ready=1, start=300)[-1].replicas == 1


def test_what_waits_at_zero_counts_at_once():
    track = Track(function(), 0)
    track.count(9.9, 10, [0.0, 0.0, 0.0, 50.0], ready=0)
    seen = track.seen(10, Replicas(0, 0), complete=True)
    assert decide(track.policy.scale, seen).replicas == 8


def test_a_panic_ends_a_window_after_it_was_last_over():
    track = Track(function(max=100), 0)
    ticks(track, [1] * 100, ready=2)
    burst = ticks(track, [60] * 6, ready=2, start=100)
    after = ticks(track, [1] * 80, ready=9, start=106)
    assert burst[-1].panicking
    peak = max(decision.replicas for decision in burst)
    held = [decision.replicas >= peak for decision in after]
    assert all(held[:55])
    assert not any(held[-15:])


def test_fewer_only_after_the_delay():
    track = Track(function(max=100, downDelay="30s", panic={"threshold": 1000}), 0)
    ticks(track, [70] * 100, ready=10)
    down = ticks(track, [1] * 120, ready=10, start=100)
    assert down[20].reason in {Why.DOWN_DELAY, Why.STEADY}
    assert {decision.replicas for decision in down[:25]} == {10}
    assert down[-1].replicas == 5  # what one step leaves of 10


def test_idle_goes_to_zero_when_the_grace_is_over_and_not_before():
    track = Track(function(idle="90s"), 0)
    ticks(track, [1] * 100, ready=1)
    quiet = ticks(track, [0] * 100, ready=1, start=100)
    assert {decision.replicas for decision in quiet[:88]} == {1}
    assert (quiet[-1].replicas, quiet[-1].reason) == (0, Why.IDLE)


def test_a_prometheus_value_over_its_activation_threshold_starts_and_keeps_a_function():
    track = Track(function(metrics=[QUERY], idle="10s"), 0)
    ticks(track, [0] * 100, ready=0)
    track.told(100, [Outside(35.0, 35.0, "")])
    assert ticks(track, [0], ready=0, start=100)[0].replicas == 4
    track.told(120, [Outside(5.0, 5.0, "")])
    assert ticks(track, [0] * 10, ready=4, start=111)[-1].replicas == 0


def test_a_prometheus_that_does_not_answer_takes_nothing_away():
    track = Track(function(metrics=[QUERY], idle="10s"), 0)
    track.told(1, [Outside(trouble="gone")])
    assert {decision.reason for decision in ticks(track, [0] * 200, ready=4)[60:]} == {Why.BLIND}


def test_several_metrics_the_one_that_wants_most_wins():
    track = Track(function(max=100, metrics=[{"type": "concurrency"}, QUERY]), 0)
    track.told(1, [Outside(0.0, 0.0, ""), Outside(100.0, 100.0, "")])
    assert ticks(track, [7] * 100, ready=1)[-1].replicas == 10


def test_an_edit_keeps_the_demand():
    track = Track(function(), 0)
    ticks(track, [20] * 100, ready=3)
    track.changed(function(target=5))
    assert ticks(track, [20], ready=3, start=100)[0].replicas == 6  # 20 / (5 x 70 %)
