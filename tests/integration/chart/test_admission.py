"""The chart's ValidatingAdmissionPolicies, judged by a real API server: what they refuse, in which words."""

import copy
import json

import pytest

from cluster.kubectl import Refused, kubectl
from cluster.waiting import eventually
from operating.world import function

SERVED = "team-a"
DROPPED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "one",
        "labels": {"app.kubernetes.io/part-of": "kubewick", "app.kubernetes.io/component": "function"},
    },
    "spec": {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "function", "image": "x", "securityContext": DROPPED}],
    },
}
PRIVILEGED = [
    ({"hostNetwork": True}, {}, "may not share the node's network"),
    ({"hostPID": True}, {}, "may not share the node's network, processes"),
    ({"volumes": [{"name": "a", "hostPath": {"path": "/"}}]}, {}, "may not mount folders of the node"),
    ({}, {"securityContext": {**DROPPED, "privileged": True, "allowPrivilegeEscalation": True}}, "not be privileged"),
    ({}, {"securityContext": {"allowPrivilegeEscalation": False}}, "must drop all capabilities"),
    ({"securityContext": {}}, {}, "may not run as root"),
    ({}, {"ports": [{"containerPort": 1, "hostPort": 1}]}, "may not take ports of the node"),
]


@pytest.fixture
def create(simulated_plane):
    """Have the API server judge an object without making it; its refusal, or nothing."""

    def call(manifest, namespace=SERVED):
        command = ("create", "--dry-run=server", "-n", namespace, "-f", "-")
        try:
            kubectl(simulated_plane.kubeconfig, *command, stdin=json.dumps(manifest))
        except Refused as refused:
            return refused.stderr
        return ""

    return call


def test_a_functions_pod_gets_no_privilege_whoever_makes_it(simulated_plane, installed, create):
    installed({})
    # Only the chart's own policies are to judge here.
    kubectl(simulated_plane.kubeconfig, "label", "namespace", SERVED, "pod-security.kubernetes.io/enforce-")
    for spec, container, words in PRIVILEGED:
        bad = changed(spec, container)
        eventually(lambda bad=bad, words=words: words in create(bad))
    eventually(lambda: create(POD) == "")
    others = changed({"hostNetwork": True}, {})
    others["metadata"]["labels"] = {}
    eventually(lambda: create(others) == "")  # pods that are no functions are nobody's business here


def test_namespaces_opt_in_and_fields_and_images_can_be_narrowed(simulated_plane, installed, create):
    admission = {
        "optIn": True,
        "forbiddenFields": ["serviceAccountName", "scale.metrics"],
        "imagePrefixes": ["ghcr.io/us/"],
    }
    installed({"admission": admission})
    eventually(lambda: "label it kubewick.dev/functions=true" in create(function()))
    kubectl(simulated_plane.kubeconfig, "label", "namespace", SERVED, "kubewick.dev/functions=true")
    eventually(lambda: create(function()) == "")
    eventually(lambda: "spec.serviceAccountName: not allowed" in create(function(serviceAccountName="admin")))
    metrics = {"metrics": [{"type": "rps"}]}
    eventually(lambda: "spec.scale.metrics: not allowed" in create(function(scale=metrics)))
    eventually(lambda: create(function(scale={"min": 1})) == "")
    eventually(lambda: "spec.image: must begin with ghcr.io/us/" in create(function(image="ghcr.io/usurper/x")))
    eventually(lambda: create(function(image="ghcr.io/us/x")) == "")


def test_a_namespace_opts_out(simulated_plane, installed, create):
    installed({})
    kubectl(simulated_plane.kubeconfig, "label", "--overwrite", "namespace", SERVED, "kubewick.dev/functions=false")
    eventually(lambda: "labelled kubewick.dev/functions=false" in create(function()))
    kubectl(simulated_plane.kubeconfig, "label", "namespace", SERVED, "kubewick.dev/functions-")
    eventually(lambda: create(function()) == "")


def test_an_excluded_namespace_takes_no_functions_and_says_why(installed, create):
    installed({"excludedNamespaces": ["kube-public"]})
    eventually(
        lambda: "serves no Functions in this namespace (excludedNamespaces)" in create(function(), "kube-public")
    )
    assert create(function()) == ""


def test_what_an_installation_leaves_to_another_one_it_does_not_refuse(installed, create):
    values = {"excludedNamespaces": ["kube-public"], "admission": {"refuseExcluded": False, "imagePrefixes": ["x/"]}}
    installed(values)
    eventually(lambda: "spec.image: must begin with x/" in create(function(image="y/z")))
    assert create(function(image="y/z"), "kube-public") == ""


def test_a_namespaces_limits_reach_what_names_none_and_its_quota_holds(installed, create):
    limits = [{"type": "Container", "max": {"memory": "128Mi"}}]
    installed({"namespaces": {SERVED: {"limits": limits, "quota": {"pods": "0"}}}})
    eventually(lambda: "exceeded quota" in create(POD))
    large = changed({}, {"resources": {"limits": {"memory": "1Gi"}}})
    eventually(lambda: "maximum memory usage per Container is 128Mi" in create(large))


def changed(spec, container):
    pod = copy.deepcopy(POD)
    pod["spec"].update(spec)
    pod["spec"]["containers"][0].update(container)
    return pod
