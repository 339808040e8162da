"""What keeps a function from running is told in `status.why`: each reason provoked for real, side by side."""

import json

import pytest

from cluster import release
from cluster.kubectl import fresh_namespace, kubectl
from cluster.platforms import OnCluster, function
from cluster.waiting import eventually

SAYS = "def handle():\n    return 'x'"
GREEDY = "x = bytearray(500_000_000)\n\n\n" + SAYS
QUOTA = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "small"},
    "spec": {"hard": {"requests.cpu": "200"}},
}


def secret_variable(name):
    return [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": name, "key": "k"}}}]


def image(name, reference, **spec):
    made = function(name, "", scale={"min": 1}, **spec)
    del made["spec"]["source"]
    made["spec"]["image"] = reference
    return made


SICK = {
    "image-pull": (lambda _: image("image-pull", "registry.invalid/none:1"), "ImagePull", ["registry.invalid/none:1"]),
    "crash-loop": (lambda own: image("crash-loop", own), "CrashLoop", ["exits with code 1", "kube-config"]),
    "out-of-memory": (
        lambda _: function("out-of-memory", GREEDY, scale={"min": 1}, resources={"limits": {"memory": "64Mi"}}),
        "LoadFailed",
        ["ran out of memory", "64 MiB"],
    ),
    "killed": (
        lambda own: image("killed", own, resources={"limits": {"memory": "32Mi"}}),
        "OutOfMemory",
        ["its memory limit of 32Mi", "raise spec.resources.limits.memory"],
    ),
    "no-room": (
        lambda _: function("no-room", SAYS, scale={"min": 1}, resources={"requests": {"cpu": "100"}}),
        "Unschedulable",
        ["nsufficient cpu"],
    ),
    "over-quota": (
        lambda _: function("over-quota", SAYS, scale={"min": 1}, resources={"requests": {"cpu": "300"}}),
        "QuotaExceeded",
        ["small", "requests.cpu"],
    ),
    "no-mount": (
        lambda _: function(
            "no-mount", SAYS, scale={"min": 1}, secrets=[{"name": "absent", "mountPath": "/etc/absent"}]
        ),
        "ConfigMissing",
        ["Secret absent", "create"],
    ),
    "no-variable": (
        lambda _: function("no-variable", SAYS, scale={"min": 1}, env=secret_variable("missing")),
        "ConfigMissing",
        ["Secret missing", "create"],
    ),
    "no-syntax": (
        lambda _: function("no-syntax", "def handle():\n    return (\n", scale={"min": 1}),
        "LoadFailed",
        ["main.py", "line 2"],
    ),
    "no-module": (
        lambda _: function("no-module", "import no_such_module\n" + SAYS, scale={"min": 1}),
        "LoadFailed",
        ["no_such_module", "line 1"],
    ),
    "no-handler": (
        lambda _: function("no-handler", SAYS, scale={"min": 1}, handler="main:missing"),
        "LoadFailed",
        ["missing"],
    ),
}


@pytest.fixture(scope="module")
def sick(cluster_kubeconfig):
    """All of them at once in one namespace; the image that ends at once is the operator's, without its rights."""
    namespace = fresh_namespace(cluster_kubeconfig, "reasons")
    cluster = OnCluster(cluster_kubeconfig, release.router_url(cluster_kubeconfig), namespace)
    operator = json.loads(
        kubectl(cluster_kubeconfig, "get", "deploy", "kubewick-operator", "-n", release.NAMESPACE, "-o", "json")
    )
    own = operator["spec"]["template"]["spec"]["containers"][0]["image"]
    cluster.apply(QUOTA)
    cluster.apply(*(make(own) for make, _, _ in SICK.values()))
    yield cluster
    kubectl(cluster_kubeconfig, "delete", "namespace", namespace, "--wait=false")


@pytest.mark.parametrize("name", SICK)
def test_why_tells_what_keeps_a_function_from_running(sick, name):
    _, reason, words = SICK[name]

    def told():
        status = sick.shown(name).get("status", {})
        ready = [each for each in status.get("conditions", []) if each["type"] == "Ready"]
        assert [each["reason"] for each in ready] == [reason], status.get("why")
        assert all(word in status["why"] for word in words), status["why"]
        return True

    eventually(told)


def test_the_status_tells_the_last_cold_start(cluster):
    cluster.deploy(function("hello", SAYS))
    assert cluster.call("hello").cold
    last = eventually(lambda: cluster.shown("hello")["status"].get("lastColdStart"))
    assert last["path"] in {"warm-pool", "deployment"}
    assert last["milliseconds"] > 0
