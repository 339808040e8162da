"""A bad spec is refused by the API server itself, by a message that names the field."""

import json
import re

import pytest

from cluster.kubectl import Refused, kubectl

SOURCE = {"inline": {"main.py": "def handle(): return 1"}}
BAD = {
    "more instances at least than at most": ({"scale": {"min": 3, "max": 2}}, "spec.scale.max"),
    "more instances at first than at most": ({"scale": {"initial": 9, "max": 2}}, "spec.scale.initial"),
    "a negative minimum": ({"scale": {"min": -1}}, "spec.scale.min"),
    "a negative maximum": ({"scale": {"max": -1}}, "spec.scale.max"),
    "a negative concurrency": ({"concurrency": -1}, "spec.concurrency"),
    "a negative history": ({"revisionHistoryLimit": -1}, "spec.revisionHistoryLimit"),
    "a negative body size": ({"maxRequestBytes": -1}, "spec.maxRequestBytes"),
    "a negative timeout": ({"timeout": "-5s"}, "spec.timeout"),
    "a timeout of a day and more": ({"timeout": "25h"}, "spec.timeout"),
    "no time to start in": ({"startTimeout": "0s"}, "spec.startTimeout"),
    "both source and image": ({"image": "nginx"}, "spec: .*source.*image"),
    "neither source nor image": ({"source": None}, "spec: .*source.*image"),
    "a source that is none": ({"source": {}}, "spec.source"),
    "a file outside its folder": ({"source": {"inline": {"../main.py": ""}}}, "spec.source.inline"),
    "a handler without a colon": ({"handler": "main"}, "spec.handler"),
    "a handler that is no name": ({"handler": "main:a b"}, "spec.handler"),
    "Kubewick's own port": ({"env": [{"name": "PORT", "value": "1"}]}, "spec.env.*reserved"),
    "Kubewick's own variable": ({"env": [{"name": "KUBEWICK_X", "value": "1"}]}, "spec.env.*reserved"),
    "a variable with two values": ({"env": [{"name": "A", "value": "1", "valueFrom": {}}]}, r"spec.env\[0\]"),
    "a mount over the function": ({"secrets": [{"name": "s", "mountPath": "/function/x"}]}, r"spec.secrets\[0\]"),
    "an interface nobody speaks": ({"interface": "smoke"}, "spec.interface"),
    "an event of nobody's": ({"lambda": {"event": "sqs"}}, "spec.lambda.event"),
    "a Lambda event for another interface": ({"interface": "asgi", "lambda": {}}, "spec.lambda"),
    "a route that is no path": ({"routes": [{"path": "x"}]}, r"spec.routes\[0\]"),
    "an availability beyond all": ({"slo": {"availability": 101}}, "spec.slo.availability"),
    "a field nobody knows": ({"replica": 3}, "spec.replica"),
}


def manifest(name="hello", **spec):
    spec = {field: value for field, value in {"source": SOURCE, **spec}.items() if value is not None}
    return {"apiVersion": "kubewick.dev/v1alpha1", "kind": "Function", "metadata": {"name": name}, "spec": spec}


def store(kubeconfig, body):
    kubectl(kubeconfig, "create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=json.dumps(body))


@pytest.mark.parametrize("wrong", BAD)
def test_a_wrong_field_is_refused_by_its_name(kubeconfig, wrong):
    spec, field = BAD[wrong]
    with pytest.raises(Refused) as refused:
        store(kubeconfig, manifest(**spec))
    assert re.search(field, refused.value.stderr), refused.value.stderr


@pytest.mark.parametrize("name", ["a" * 53, "1st"])
def test_a_name_the_children_could_not_carry_is_refused(kubeconfig, name):
    with pytest.raises(Refused, match=r"metadata.name"):
        store(kubeconfig, manifest(name))


def test_a_good_one_is_taken(kubeconfig):
    scale = {"min": 0, "initial": 1, "max": 1}
    store(kubeconfig, manifest("a" * 52, handler="main:handle", timeout="24h", scale=scale))
