"""What of a pod a Function's author may decide is a closed list: a new field of the CRD is listed here or this fails.

A field belongs in `POD` only if it cannot give the pod more of its node, of its namespace or of the cluster than
`docs/security.md` says an author has.
"""

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings

from arbitrary.functions import config, manifest
from arbitrary.manifests import SPEC, specs
from wick_api.function import SpecInvalid, parse
from wick_operator.function.decisions.desired import choice

POD = {
    "image", "runtime", "source", "env", "envFrom", "resources", "secrets", "configMaps", "serviceAccountName",
    "imagePullSecrets", "nodeSelector", "tolerations", "priorityClassName", "timeout",
}  # fmt: skip
"""Fields that reach the pod: `timeout` as its grace to stop."""
RUNTIME = {"handler", "interface", "lambda", "concurrency", "startTimeout", "maxRequestBytes", "debug"}
"""Fields that reach it as variables of the runtime, by name, and nothing else of it."""
PLATFORM = {"scale", "visibility", "routes", "slo", "revisionHistoryLimit", "rollbackTo"}
"""Fields that no pod sees."""
PASSED_ON = {
    "env": {
        "name", "value", "valueFrom", "valueFrom.configMapKeyRef", "valueFrom.configMapKeyRef.name",
        "valueFrom.configMapKeyRef.key", "valueFrom.configMapKeyRef.optional", "valueFrom.secretKeyRef",
        "valueFrom.secretKeyRef.name", "valueFrom.secretKeyRef.key", "valueFrom.secretKeyRef.optional",
        "valueFrom.fieldRef", "valueFrom.fieldRef.apiVersion", "valueFrom.fieldRef.fieldPath",
        "valueFrom.resourceFieldRef", "valueFrom.resourceFieldRef.containerName",
        "valueFrom.resourceFieldRef.resource", "valueFrom.resourceFieldRef.divisor",
    },
    "envFrom": {
        "prefix", "configMapRef", "configMapRef.name", "configMapRef.optional", "secretRef", "secretRef.name",
        "secretRef.optional",
    },
    "resources": {"requests", "requests.*", "limits", "limits.*"},
    "imagePullSecrets": {"name"},
    "nodeSelector": {"*"},
    "tolerations": {"key", "operator", "value", "effect", "tolerationSeconds"},
}  # fmt: skip
"""What is copied into the pod as it is written, with all that the CRD lets be written there."""
OF_A_POD = {
    "automountServiceAccountToken", "enableServiceLinks", "terminationGracePeriodSeconds", "securityContext",
    "containers", "volumes", "hostUsers", "serviceAccountName", "imagePullSecrets", "nodeSelector", "affinity",
    "tolerations", "priorityClassName",
}  # fmt: skip
OF_A_CONTAINER = {
    "name", "image", "imagePullPolicy", "ports", "env", "envFrom", "securityContext", "resources", "volumeMounts",
    "startupProbe", "readinessProbe", "livenessProbe",
}  # fmt: skip
RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def below(schema, path=""):
    """Every field below a field, by its path; `*` stands for a free key. Lists count as what they hold."""
    schema = schema.get("items", schema)
    fields = dict(schema.get("properties", {}))
    if "additionalProperties" in schema:
        fields["*"] = schema["additionalProperties"]
    for name, each in fields.items():
        inner = f"{path}.{name}".strip(".")
        yield inner
        yield from below(each, inner)


def everything(schema):
    yield schema
    if isinstance(schema, dict):
        for each in schema.values():
            yield from everything(each)


def test_every_field_of_a_function_is_known_to_reach_its_pod_or_not_to():
    assert set(SPEC["properties"]) == POD | RUNTIME | PLATFORM


@pytest.mark.parametrize("field", PASSED_ON)
def test_what_is_passed_on_as_written_is_a_closed_list(field):
    assert set(below(SPEC["properties"][field])) == PASSED_ON[field]


def test_the_api_server_drops_what_the_spec_does_not_name():
    assert not any(
        "x-kubernetes-preserve-unknown-fields" in each for each in everything(SPEC) if isinstance(each, dict)
    )
    assert not any("x-kubernetes-embedded-resource" in each for each in everything(SPEC) if isinstance(each, dict))


@settings(max_examples=2 * settings.default.max_examples, deadline=None, suppress_health_check=list(HealthCheck))
@given(specs)
def test_whatever_is_written_the_pod_has_the_fields_it_may_have_and_no_privilege(spec):
    try:
        function = parse(manifest("drawn", spec))
    except SpecInvalid:
        return
    files = {"main.py": ""} if function.spec.source else {}
    offered = dataclasses.replace(config, runtimes={function.spec.runtime: "python:3"})
    pod = choice.new(function, offered, files).template["spec"]
    (container,) = pod["containers"]
    assert pod.keys() <= OF_A_POD
    assert container.keys() <= OF_A_CONTAINER
    assert pod["automountServiceAccountToken"] is (function.spec.service_account_name is not None)
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert RESTRICTED.items() <= container["securityContext"].items()
    assert {kind for volume in pod["volumes"] for kind in volume} <= {"name", "emptyDir", "configMap", "secret"}
    assert {port["containerPort"] for port in container["ports"]} <= {8080, 8081}
    assert not any("hostPort" in port for port in container["ports"])
