"""What the API server refuses is told, other functions go on, and it is made good once it is allowed."""

import pytest

from cluster.kubectl import Refused, kubectl
from cluster.waiting import eventually
from operating.world import condition, function

RESOURCES = {"ConfigMap": ("", "configmaps"), "Service": ("", "services"), "Deployment": ("apps", "deployments")}


def policy(name, kind, namespace):
    """An admission policy that refuses to create a kind in one namespace, and its binding."""
    group, plural = RESOURCES[kind]
    rule = {"apiGroups": [group], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [plural]}
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    common = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    return (
        {
            **common,
            "kind": "ValidatingAdmissionPolicy",
            "spec": {
                "matchConstraints": {"resourceRules": [rule], "namespaceSelector": selector},
                "validations": [{"expression": "false", "message": "not today"}],
            },
        },
        {
            **common,
            "kind": "ValidatingAdmissionPolicyBinding",
            "spec": {"policyName": name, "validationActions": ["Deny"]},
        },
    )


def refused(world, kind, namespace):
    """Whether the policy is in force."""
    arguments = {
        "ConfigMap": ("configmap", "probe"),
        "Service": ("service", "externalname", "probe", "--external-name=x.example"),
        "Deployment": ("deployment", "probe", "--image=x"),
    }[kind]
    try:
        kubectl(world.plane.kubeconfig, "create", *arguments, "-n", namespace, "--dry-run=server")
    except Refused as error:
        return "not today" in error.stderr
    return False


@pytest.mark.parametrize("kind", RESOURCES)
def test_a_refused_child_is_told_and_made_once_it_is_allowed(operated, controlled_namespace, kind):
    name = f"refuse-{kind.lower()}"
    operated.apply("default", *policy(name, kind, controlled_namespace))
    try:
        eventually(lambda: refused(operated, kind, controlled_namespace), every=0.5)
        operated.apply(controlled_namespace, function())
        status = operated.ready("hello", controlled_namespace, "ClusterError")
        assert f"{kind} hello" in status["why"]
        assert "not today" in status["why"]
        assert condition(status, "SourceResolved")["status"] == "True"
    finally:
        kubectl(operated.plane.kubeconfig, "delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", name)
    operated.ready("hello", controlled_namespace, "Idle")
