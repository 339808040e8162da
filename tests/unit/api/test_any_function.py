"""Whatever the API server accepts, every part can compute: it is read, or refused by its field, and nothing raises."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arbitrary.functions import config, manifest
from arbitrary.manifests import quantities, specs
from wick_api import warm
from wick_api.function import SpecInvalid, parse
from wick_api.reason import Reason
from wick_api.routing import HostPolicy, Table
from wick_autoscaler.decisions import explanation, exporter, usage
from wick_autoscaler.decisions.decision import decide
from wick_autoscaler.decisions.function_state import Outside, Track
from wick_autoscaler.decisions.scaler import Replicas
from wick_operator.cache.store import known
from wick_operator.function.decisions import drift, status
from wick_operator.function.decisions.desired import choice
from wick_operator.function.decisions.desired.children import children
from wick_operator.function.decisions.status import ObservedState
from wick_operator.pool.decisions.users import could_use
from wick_router.kubernetes.backend import _read_function

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
MADE = {"creationTimestamp": "2026-11-28T12:00:00Z"}
slowly = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
amounts = st.floats(0, 1e300) | st.sampled_from([0.0, 1.0, 1e300, float("inf"), float("nan")])


def drawn(spec):
    return manifest("drawn", spec, **MADE)


@st.composite
def functions(draw):
    try:
        return parse(drawn(draw(specs)))
    except SpecInvalid as told:
        told_by_its_field = str(told).startswith("spec.")
    assert told_by_its_field
    return parse(drawn({"image": "i"}))


@slowly
@given(specs)
def test_the_operator_knows_it_and_tells_what_is_so(spec):
    entry = known(drawn(spec))
    observed = ObservedState(
        source=status.ReconcileProblem(Reason.INVALID_SPEC, entry.invalid) if entry.invalid else None
    )
    told = status.status(entry.function, observed, "http://x", "2026-11-28T12:00:00Z")
    assert json.loads(json.dumps(told)) == told


@slowly
@given(functions())
def test_the_operator_makes_its_children_and_sees_no_drift_in_them(function):
    files = dict(function.spec.source.inline or {"main.py": ""}) if function.spec.source else {}
    offered = dataclasses.replace(config, runtimes={function.spec.runtime: "python:3"})
    revision = choice.new(function, offered, files)
    made = children(function, offered, revision, choice.input_of(function, files), "")
    assert not drift.differs(made, json.loads(json.dumps(made)))
    assert Table(HostPolicy()).put(function) == set()
    assert could_use(function) in {True, False}
    resources = made[-1]["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert warm.unresizable(resources, {"limits": {"memory": "256Mi"}}) in set(warm.Obstacle)


@slowly
@given(functions(), st.lists(st.tuples(amounts, st.integers(0, 3), amounts), max_size=5))
def test_the_autoscaler_decides_and_explains_whatever_the_load(function, load):
    track, now = Track(function, 0.0), 0.0
    for value, ready, outside in load:
        now += 1.5
        track.told(now, [Outside(outside, outside, "")] * len(track.policy.goals))
        track.count(now - 1.5, now, [min(value, 1e6)] * 4, ready=ready)
        track.floor.look(NOON + timedelta(seconds=now))
        seen = track.seen(now, Replicas(ready, ready), complete=True)
        decision = decide(track.policy.scale, seen)
        track.remember(now, NOON, seen, decision)
        assert 0 <= decision.replicas <= function.spec.scale.max
        assert track.floor.wait(NOON) >= 0
    assert msgspec.json.encode(explanation.status(track))
    assert list(exporter.lines({function.key: track}))


@given(quantities, quantities)
def test_the_autoscaler_knows_what_an_instance_requests(cpu, memory):
    spec = parse(drawn({"image": "i", "resources": {"requests": {"cpu": cpu}, "limits": {"memory": memory}}})).spec
    assert 0 < usage.requested(spec, "cpu", usage.CORES) / 100 < float("inf")
    assert 0 < 1 / usage.requested(spec, "memory", usage.BYTES) < float("inf")


@slowly
@given(specs)
def test_the_router_reads_and_routes_it(spec):
    function = _read_function(msgspec.Raw(msgspec.json.encode(drawn(spec))))
    assert function is not None
    table = Table(HostPolicy(("svc.cluster.local", "")), [function])
    assert table.find(b"drawn.default", b"GET", b"/x?y").key == function.key
    assert table.find(b"", b"GET", b"/function/default/drawn/x").key == function.key
