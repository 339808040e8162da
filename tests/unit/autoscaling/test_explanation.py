"""Every decision can be told in words, kept as data, counted, and is announced seldom."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from wick_api.function import parse
from wick_api.names import Key
from wick_api.scale import Scale
from wick_autoscaler.decisions import exporter, exposition
from wick_autoscaler.decisions.announcement import QUIET, Announcer
from wick_autoscaler.decisions.decision import Decision, Seen, Signal, Why, decide
from wick_autoscaler.decisions.explanation import sentence, status
from wick_autoscaler.decisions.function_state import Outside, Track

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LOAD = Seen(replicas=2, ready=2, signals=(Signal("concurrency", 7.0, 20.0, 20.5),), in_use=20.0)


def decided(scale, *seens):
    """A track of a function that saw all this, ten seconds apart."""
    function = parse(
        {
            "apiVersion": "kubewick.dev/v1alpha1",
            "kind": "Function",
            "metadata": {"name": "f"},
            "spec": {"image": "x", "scale": scale},
        }
    )
    track = Track(function, 0)
    for position, seen in enumerate(seens):
        track.remember(position, NOON + timedelta(seconds=10 * position), seen, decide(track.policy.scale, seen))
    return track


@pytest.mark.parametrize("why", Why)
def test_every_reason_has_a_sentence(why):
    assert len(sentence(Scale(), LOAD, Decision(3, why, 1.0))) > len("scale.m")


def test_the_sentence_tells_the_numbers():
    assert sentence(Scale(), LOAD, decide(Scale(), LOAD)) == (
        "20 requests at a time where one instance takes 7, averaged over 1m"
    )


def test_the_status_has_the_last_decisions_newest_first_and_is_plain_data():
    track = decided({}, LOAD, Seen(replicas=3, ready=3, idle_for=61.0))
    shown = status(track)
    assert (shown["replicas"], shown["reason"]) == (0, "idle")
    assert [entry["replicas"] for entry in shown["decisions"]] == [0, 3]
    assert shown["decisions"][1]["inputs"] == [{"metric": "concurrency", "target": 7.0, "stable": 20.0, "panic": 20.5}]
    assert shown["decisions"][0]["at"] == "2026-11-21T12:00:10Z"
    assert msgspec.json.decode(msgspec.json.encode(shown)) == shown


def test_a_decision_like_the_one_before_is_not_kept_again():
    assert len(decided({}, LOAD, LOAD, LOAD).decided) == 1


def test_the_status_names_what_is_amiss():
    track = decided({"metrics": [{"type": "prometheus", "query": "x", "target": 1}]}, LOAD)
    track.outside = [Outside(trouble="the query returns nothing")]
    assert status(track)["problems"] == ["spec.scale.metrics[0]: the query returns nothing"]


def test_the_metrics_are_valid_and_tell_the_last_decision():
    track = decided({}, LOAD)
    samples = [exposition.read(line.encode()) for line in exporter.lines({Key("n", "f"): track})]
    values = {(sample.name, sample.labels.get("reason")): sample.value for sample in samples if sample}
    assert values == {
        ("kubewick_autoscaler_desired_replicas", None): 3,
        ("kubewick_autoscaler_panic", None): 0,
        ("kubewick_autoscaler_decisions_total", "steady"): 1,
    }


def test_events_of_one_kind_come_seldom():
    announcer = Announcer()
    up, down = Decision(3, Why.STEADY, 1.0), Decision(2, Why.STEADY, 1.0)
    said = [announcer.about(float(second), 2 + second % 2, (up, down)[second % 2]) for second in range(1200)]
    assert [one.reason for one in said if one] == ["ScaledUp", "ScaledDown"] * 2
    assert announcer.about(1200 + QUIET, 0, Decision(5, Why.MAX, 1.0)).type == "Warning"


def test_a_steady_function_makes_no_event():
    assert Announcer().about(0, 3, Decision(3, Why.STEADY, 1.0)) is None
