"""Who may call whom by the chart's NetworkPolicies, worked out by the rules of the Kubernetes documentation.

The test cluster's CNI enforces none, so what a policy means is computed here from what is rendered, for pods labelled
as the parts really label them.
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_api import names
from wick_api.function import parse
from wick_operator.config import OperatorConfig
from wick_operator.function.decisions.desired import choice
from wick_operator.pool.decisions import manifest
from wick_operator.pool_settings import PoolSettings

SYSTEM, SERVED, OTHER = "kubewick-system", "team-a", "team-b"
CONFIG = OperatorConfig(pool_key="k")
MONITORING = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
VALUES = {"watchNamespaces": [SERVED], "networkPolicies": {"monitoring": [MONITORING]}}
DATA, CONTROL = names.HTTP_PORT, names.CONTROL_PORT
INTERNAL, PUBLIC = names.ROUTER_HTTP_PORT, names.ROUTER_PUBLIC_PORT
OUTSIDE = (None, {}, {})
"""Whoever is no pod."""
ADMIN = {"router": 9401, "operator": 9402}


@pytest.fixture(scope="module")
def policies(render):
    return [each for each in render(VALUES) if each["kind"] == "NetworkPolicy"]


@pytest.fixture(scope="module")
def pods(render):
    """Pods by what they are: namespace, labels, named ports."""
    parts = {each: of_part(render(VALUES), each) for each in ("router", "operator")}
    function = parse(
        {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {"name": "hello", "namespace": SERVED},
            "spec": {"source": {"inline": {"main.py": ""}}},
        }
    )
    template = choice.new(function, CONFIG, {"main.py": ""}).template
    awake, asleep = (
        manifest.deployment(SERVED, "python", PoolSettings(), CONFIG, 1, dormant=each)["spec"]["template"]
        for each in (False, True)
    )
    return {
        **parts,
        "function": (SERVED, template["metadata"]["labels"], {}),
        "warm pod": (SERVED, awake["metadata"]["labels"], {}),
        "dormant pod": (SERVED, asleep["metadata"]["labels"], {}),
        "neighbour": (SERVED, {"app": "x"}, {}),
        "impostor": (OTHER, parts["router"][1], {}),
        "prometheus": ("monitoring", {"app": "prometheus"}, {}),
    }


ALLOWED = {
    ("function", DATA): {"router"},
    ("function", CONTROL): {"router", "operator", "prometheus"},
    ("warm pod", DATA): {"router"},
    ("warm pod", CONTROL): {"router", "operator", "prometheus"},
    ("dormant pod", DATA): {"router"},
    ("dormant pod", CONTROL): {"router", "operator", "prometheus"},
    ("router", ADMIN["router"]): {"operator", "prometheus"},
    ("operator", ADMIN["operator"]): {"router", "prometheus"},
}


@pytest.mark.parametrize(("target", "port"), ALLOWED)
def test_a_port_answers_those_it_is_for_and_nobody_else(policies, pods, target, port):
    assert {name for name in pods if may(policies, pods[name], pods[target], port)} == ALLOWED[target, port]


def test_every_pod_may_call_all_functions_and_who_is_outside_the_public_ones(policies, pods):
    for port in (INTERNAL, PUBLIC):
        assert all(may(policies, pods[name], pods["router"], port) for name in pods)
    assert may(policies, OUTSIDE, pods["router"], PUBLIC)
    assert not may(policies, OUTSIDE, pods["router"], INTERNAL)


def test_named_callers_may_call_all_functions_from_outside(render):
    nodes = {"ipBlock": {"cidr": "192.0.2.0/24"}}
    found = [each for each in render({"networkPolicies": {"callers": [nodes]}}) if each["kind"] == "NetworkPolicy"]
    (router,) = [each for each in found if each["metadata"]["name"] == "kubewick-router"]
    allowed = {json.dumps(rule["ports"]): rule.get("from") for rule in router["spec"]["ingress"]}
    assert nodes in allowed[json.dumps([{"port": INTERNAL}])]
    assert not any(nodes in (peers or ()) for ports, peers in allowed.items() if str(INTERNAL) not in ports)


@given(st.integers(1, 65535), st.dictionaries(st.sampled_from(["app", "team"]), st.sampled_from("ab")))
def test_no_other_port_of_a_function_answers_anybody_and_no_label_of_ones_own_helps(policies, pods, port, labels):
    stranger = (SERVED, labels, {})
    assert not may(policies, stranger, pods["function"], port)
    if port not in {DATA, CONTROL}:
        assert not any(may(policies, pods[name], pods["function"], port) for name in pods)


def of_part(manifests, part):
    (found,) = [
        each for each in manifests if each["kind"] == "Deployment" and each["metadata"]["name"] == f"kubewick-{part}"
    ]
    template = found["spec"]["template"]
    ports = {each["name"]: each["containerPort"] for each in template["spec"]["containers"][0]["ports"]}
    return SYSTEM, template["metadata"]["labels"], ports


def may(policies, source, target, port):
    """Whether traffic is let in: a pod that no policy selects takes all, another what some policy's rule allows."""
    namespace, labels, ports = target
    over = [
        each
        for each in policies
        if each["metadata"]["namespace"] == namespace and selects(each["spec"]["podSelector"], labels)
    ]
    rules = [rule for each in over for rule in each["spec"].get("ingress", ())]
    return not over or any(
        any(ports.get(each["port"], each["port"]) == port for each in rule["ports"])
        and ("from" not in rule or any(is_peer(peer, source, namespace) for peer in rule["from"]))
        for rule in rules
    )


def is_peer(peer, source, own_namespace):
    namespace, labels, _ = source
    assert peer.keys() <= {"podSelector", "namespaceSelector"}
    if "namespaceSelector" in peer:
        there = namespace is not None and selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": namespace})
    else:
        there = namespace == own_namespace
    return there and selects(peer.get("podSelector", {}), labels)


def selects(selector, labels):
    assert selector.keys() <= {"matchLabels", "matchExpressions"}
    assert all(each["operator"] == "In" for each in selector.get("matchExpressions", ()))
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", ())
    )
