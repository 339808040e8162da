"""The `scale` subresource: `kubectl scale` sets how many instances there are at least."""

import json

import pytest

from cluster.kubectl import Refused, kubectl
from cluster.waiting import eventually

FUNCTION = {
    "apiVersion": "kubewick.dev/v1alpha1",
    "kind": "Function",
    "metadata": {"name": "hello"},
    "spec": {"source": {"inline": {"main.py": "def handle(): return 1"}}, "scale": {"max": 5}},
}


@pytest.fixture
def run(kubeconfig, namespace):
    """kubectl in a namespace that has the function."""

    def run(*arguments, **more):
        return kubectl(kubeconfig, "--namespace", namespace, *arguments, **more)

    run("apply", "--filename", "-", stdin=json.dumps(FUNCTION))
    return run


def test_scaling_a_function_sets_its_minimum_and_nothing_else(run):
    before = json.loads(run("get", "function/hello", "--output", "json"))["spec"]
    run("scale", "function/hello", "--replicas=3")
    after = json.loads(run("get", "function/hello", "--output", "json"))["spec"]
    assert after == before | {"scale": before["scale"] | {"min": 3}}


def test_scaling_to_nothing_lets_the_function_go_to_zero_again(run):
    run("scale", "function/hello", "--replicas=3")
    run("scale", "function/hello", "--replicas=0", "--current-replicas=3")
    assert run("get", "function/hello", "--output", "jsonpath={.spec.scale.min}") == "0"


def test_more_than_the_maximum_is_refused_by_the_field_that_says_so(run):
    with pytest.raises(Refused, match=r"spec.scale.max: must be at least spec.scale.min"):
        run("scale", "function/hello", "--replicas=6")
    assert run("get", "function/hello", "--output", "jsonpath={.spec.scale.min}") == "0"


def test_the_subresource_tells_how_many_there_are(run):
    run(
        "patch",
        "function/hello",
        "--subresource",
        "status",
        "--type",
        "merge",
        "--patch",
        '{"status": {"replicas": 2}}',
    )
    scale = json.loads(run("get", "function/hello", "--subresource", "scale", "--output", "json"))
    assert (scale["spec"], scale["status"]) == ({}, {"replicas": 2})


def test_an_autoscaler_of_kubernetes_whose_target_is_a_function_says_that_it_cannot(
    controlled_plane, controlled_namespace
):
    def run(*arguments, **more):
        return kubectl(controlled_plane.kubeconfig, "--namespace", controlled_namespace, *arguments, **more)

    run("apply", "--filename", "-", stdin=json.dumps(FUNCTION | {"spec": FUNCTION["spec"] | {"scale": {"min": 1}}}))
    target = {"apiVersion": "kubewick.dev/v1alpha1", "kind": "Function", "name": "hello"}
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
    spec = {"scaleTargetRef": target, "maxReplicas": 5, "metrics": [cpu]}
    hpa = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "hello"},
        "spec": spec,
    }
    run("apply", "--filename", "-", stdin=json.dumps(hpa))

    def reason():
        said = json.loads(run("get", "hpa/hello", "--output", "json"))["status"]["conditions"]
        return next(each["reason"] for each in said if each["type"] == "ScalingActive")

    assert eventually(reason) == "InvalidSelector"
