"""The API server accepts what `arbitrary.manifests` draws; what it stores of quantities is what we compute."""

import asyncio
import json
from contextlib import nullcontext

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from arbitrary.manifests import quantities, specs
from wick_api import quantity
from wick_api.function import SpecInvalid, parse
from wick_kube.cluster import Cluster
from wick_kube.error import ApiRefused
from wick_kube.resource import DEPLOYMENTS, FUNCTIONS
from wick_operator.function.decisions import drift

DRY = {"dryRun": "All", "fieldManager": "test"}
drawn = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], max_examples=100
)


@pytest.fixture(scope="module")
def store(kubeconfig):
    """Ask the API server what it would store; `ApiRefused` for what it refuses."""
    with asyncio.Runner() as runner:
        cluster = runner.run(Cluster.connect(str(kubeconfig)))

        def ask(resource, manifest):
            call = cluster.call("POST", resource.path("default"), query=DRY, body=manifest)
            return json.loads(runner.run(call))

        yield ask
        runner.run(cluster.close())


def function(spec):
    metadata = {"name": "drawn", "namespace": "default"}
    return {"apiVersion": "kubewick.dev/v1alpha1", "kind": "Function", "metadata": metadata, "spec": spec}


def deployment(amounts):
    container = {"name": "c", "image": "i", "resources": amounts}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "drawn"}, "spec": spec}


@drawn
@given(specs)
def test_every_draw_is_accepted_and_is_read_or_refused_by_its_field(store, spec):
    stored = store(FUNCTIONS, function(spec))
    problem = "spec."
    try:
        parse(stored)
    except SpecInvalid as told:
        problem = str(told)
    assert problem.startswith("spec.")


@drawn
@given(quantities)
@example("1e-99")
@example("0.3Gi")
@example(10**18)
@example("999999999999999999e99")
@example("999999999999999999E")
@example("999999999999999999Ei")
@example(".000000000000000001e99")
def test_what_a_deployment_makes_of_a_quantity_is_no_drift(store, amount):
    wanted = deployment({"requests": {"cpu": amount, "memory": amount}})
    stored = store(DEPLOYMENTS, wanted)
    assert not drift.differs(wanted, stored)
    store(FUNCTIONS, function({"image": "i", "resources": {"requests": {"cpu": amount}}}))


@drawn
@given(
    st.integers(-10, 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.sampled_from("0123456789.+-eEKMGinum "), max_size=12)
)
@example("1e400")
@example("1" * 19)
@example(-1)
@example(1.0)
@example(2.0**53)
@example(2.0**53 - 1)
def test_a_function_has_the_quantities_that_its_parser_takes(store, amount):
    problem = quantity.problem(amount)
    wanted = function({"image": "i", "resources": {"requests": {"cpu": amount}}})
    with pytest.raises(ApiRefused) if problem else nullcontext():
        store(FUNCTIONS, wanted)
