"""The simulator replays a load against the real decisions: nothing lost, nothing drawn from thin air."""

import itertools
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wick_api.function import parse
from wick_autoscaler.simulate import azure, chart, peers
from wick_autoscaler.simulate.model import SimulatedPolicy, World, simulate
from wick_autoscaler.simulate.outcome import outcome, percentile
from wick_autoscaler.simulate.shape import SHAPES, Load, shaped
from wick_autoscaler.simulate.trace import TracedRequest, trace

TRACES = Path(__file__).parents[3] / "examples" / "traces"
SMALL = Load(peak=40, length=120, service=0.3)


def function(**spec):
    return parse(
        {
            "apiVersion": "kubewick.dev/v1alpha1",
            "kind": "Function",
            "metadata": {"name": "f"},
            "spec": {"image": "x", "scale": {"max": 50}, **spec},
        }
    )


OURS = SimulatedPolicy("ours", function())


@pytest.mark.parametrize("policy", [OURS, peers.knative(function())], ids=lambda policy: policy.name)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_request_is_answered_and_none_sooner_than_it_can_be(policy, shape):
    load = shaped(shape, SMALL)
    run = simulate(policy, load, World())
    assert len(run.latencies) == len(load.requests)
    assert sum(run.latencies) >= sum(request.service for request in load.requests) - 1e-6
    assert max(sample.replicas for sample in run.samples) <= 50


def test_the_first_request_of_a_sleeping_function_waits_for_the_cold_start_alone():
    run = simulate(OURS, trace("one", [TracedRequest(5.0, 0.1)], 10), World(cold_start=0.8))
    assert run.latencies == [pytest.approx(0.9)]


def test_enough_instances_mean_no_wait():
    load = shaped("step", SMALL)
    run = simulate(SimulatedPolicy("fixed", function(scale={"min": 20, "max": 20})), load, World(instances=20))
    assert sorted(run.latencies) == pytest.approx(sorted(request.service for request in load.requests))
    assert run.instance_seconds == pytest.approx(20 * run.samples[-1].at, rel=0.02)


def test_an_idle_function_goes_to_zero_and_costs_nothing_more():
    run = simulate(OURS, trace("one", [TracedRequest(0.5, 0.1)], 600), World())
    assert run.samples[-1].replicas == 0
    assert 60 <= run.instance_seconds <= 63


def test_the_same_run_twice_is_the_same():
    assert simulate(OURS, shaped("poisson", SMALL), World()) == simulate(OURS, shaped("poisson", SMALL), World())


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 5)), max_size=40),
    st.floats(0, 5),
    st.integers(1, 20),
)
def test_any_load_comes_through(requests, cold_start, concurrency):
    load = trace("any", itertools.starmap(TracedRequest, requests), 100)
    run = simulate(SimulatedPolicy("p", function(concurrency=concurrency)), load, World(cold_start=cold_start))
    assert len(run.latencies) == len(requests)
    assert run.samples[-1].in_flight == run.samples[-1].waiting == 0


@pytest.mark.parametrize(("shape", "share"), [("step", 0.775), ("ramp", 0.6), ("sine", 0.55), ("poisson", 0.5)])
def test_a_shape_has_as_many_requests_as_it_should(shape, share):
    assert len(shaped(shape, SMALL).requests) == pytest.approx(share * 40 * 120, rel=0.06)


def test_azures_trace_of_2019_is_read_as_it_is():
    with (TRACES / "azure-2019.csv").open() as lines:
        read = azure.read("t", lines, azure.TracePart(function="3f52", start=3600, length=600))
    assert len(read.requests) > 30
    assert all(0 <= request.at < 600 for request in read.requests)


def test_azures_trace_of_2021_is_read_as_it_is():
    with (TRACES / "azure-2021.txt").open() as lines:
        read = azure.read("t", lines, azure.TracePart(length=900))
    assert len(read.requests) > 400
    assert len({request.service for request in read.requests}) > 50


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "t:1"),
        ("app,func,end_timestamp,duration\nx,y,soon,1\n", "line 2"),
        ("app,func,end_timestamp,duration\nx,y\n", "line 2"),
        ("HashOwner,HashApp,HashFunction,Trigger,1\no,a,f,http,many\n", "line 2"),
    ],
)
def test_what_is_no_trace_is_refused_by_line(text, said):
    with pytest.raises(azure.Unreadable, match=said):
        azure.read("t", text.splitlines(), azure.TracePart())


def test_the_chart_is_svg_with_a_line_a_policy():
    runs = [simulate(policy, shaped("spike", SMALL), World()) for policy in (OURS, peers.knative(function()))]
    root = ET.fromstring(chart.svg(runs))
    assert len(root.findall(".//{*}path[@stroke-width]")) == 3 * len(runs)
    assert len(chart.line(runs[0], 40)) == 40


def test_percentiles_are_of_the_nearest_rank():
    assert [percentile(range(1, 101), share) for share in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert percentile([], 50) == 0


def test_an_outcome_is_plain_data():
    assert msgspec.to_builtins(outcome(simulate(OURS, shaped("step", SMALL), World())))["requests"] > 0
