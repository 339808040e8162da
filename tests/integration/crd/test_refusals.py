"""A bad spec is refused by the API server itself, by a message that names the field; no rule is `wick`'s alone.

Whoever writes Functions with another client is held to the same rules: each refusal of `wick_api.function`, which
`wick` prints, has a case here that a real API server refuses too.
"""

import ast
import asyncio
import re
from pathlib import Path

import pytest

from wick_api import function, names, quantity, reference, scale
from wick_api.function import SpecInvalid, parse
from wick_kube.cluster import Cluster
from wick_kube.error import ApiRefused
from wick_kube.resource import FUNCTIONS

STRICTLY = {"dryRun": "All", "fieldManager": "test", "fieldValidation": "Strict"}
SOURCE = {"inline": {"main.py": "def handle(): return 1"}}
NIGHT = {"start": "0 22 * * 1-5", "duration": "8h", "min": 0}
QUERY = {"type": "prometheus", "query": "up", "target": 1}
BAD = {
    "more instances at least than at most": ({"scale": {"min": 3, "max": 2}}, "spec.scale.max"),
    "more instances at first than at most": ({"scale": {"initial": 9, "max": 2}}, "spec.scale.initial"),
    "more instances at once than at most": ({"scale": {"activation": 9, "max": 2}}, "spec.scale.activation"),
    "a negative minimum": ({"scale": {"min": -1}}, "spec.scale.min"),
    "a negative maximum": ({"scale": {"max": -1}}, "spec.scale.max"),
    "a window of no length": ({"scale": {"window": "0s"}}, "spec.scale.window"),
    "two weeks without demand": ({"scale": {"idle": "336h"}}, "spec.scale.idle"),
    "a late shrinking": ({"scale": {"downDelay": "2h"}}, "spec.scale.downDelay"),
    "a forecast far ahead": ({"scale": {"prediction": {"ahead": "2h"}}}, "spec.scale.prediction.ahead"),
    "a query without a target": ({"scale": {"metrics": [QUERY | {"target": None}]}}, r"spec.scale.metrics\[0\]"),
    "a query of none": ({"scale": {"metrics": [{"type": "rps", "query": "up"}]}}, r"spec.scale.metrics\[0\]"),
    "a server of another protocol": ({"scale": {"metrics": [QUERY | {"server": "ftp://x"}]}}, r"metrics\[0\]"),
    "a night above the maximum": ({"scale": {"schedules": [NIGHT | {"min": 11}]}}, "spec.scale.schedules"),
    "a night of two days": ({"scale": {"schedules": [NIGHT | {"duration": "48h"}]}}, r"schedules\[0\].duration"),
    "a night that never begins": ({"scale": {"schedules": [NIGHT | {"start": "@daily"}]}}, r"schedules\[0\].start"),
    "a night nowhere": ({"scale": {"schedules": [NIGHT | {"timeZone": "Mars/X"}]}}, r"schedules\[0\].timeZone"),
    "a negative concurrency": ({"concurrency": -1}, "spec.concurrency"),
    "a negative history": ({"revisionHistoryLimit": -1}, "spec.revisionHistoryLimit"),
    "a negative body size": ({"maxRequestBytes": -1}, "spec.maxRequestBytes"),
    "a negative timeout": ({"timeout": "-5s"}, "spec.timeout"),
    "a timeout of a day and more": ({"timeout": "25h"}, "spec.timeout"),
    "no time to start in": ({"startTimeout": "0s"}, "spec.startTimeout"),
    "both source and image": ({"image": "nginx"}, "spec: .*source.*image"),
    "neither source nor image": ({"source": None}, "spec: .*source.*image"),
    "a source that is none": ({"source": {}}, "spec.source"),
    "a source without a file": ({"source": {"inline": {}}}, "spec.source.inline"),
    "a file outside its folder": ({"source": {"inline": {"../main.py": ""}}}, "spec.source.inline"),
    "a file with a long name": ({"source": {"inline": {f"{'d/' * 100}x": ""}}}, "spec.source.inline"),
    "files that are too large together": (
        {"source": {"inline": {"main.py": "x" * 500_000, "b.txt": "x" * 400_001}}},
        "spec.source.inline",
    ),
    "a handler without a colon": ({"handler": "main"}, "spec.handler"),
    "a handler that is no name": ({"handler": "main:a b"}, "spec.handler"),
    "a revision that is none": ({"rollbackTo": "the last one"}, "spec.rollbackTo"),
    "Kubewick's own port": ({"env": [{"name": "PORT", "value": "1"}]}, "spec.env.*reserved"),
    "Kubewick's own variable": ({"env": [{"name": "KUBEWICK_X", "value": "1"}]}, "spec.env.*reserved"),
    "a variable that is no name": ({"env": [{"name": "1 A", "value": "1"}]}, r"spec.env"),
    "a variable twice": ({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}, r"spec.env"),
    "a variable with two values": (
        {"env": [{"name": "A", "value": "1", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]},
        "spec.env",
    ),
    "an amount that is none": ({"resources": {"limits": {"cpu": "much"}}}, "spec.resources.limits.cpu"),
    "amounts of nothing": ({"resources": {"limits": "much"}}, "spec.resources.limits"),
    "a mount over the function": ({"secrets": [{"name": "s", "mountPath": "/function/x"}]}, "spec.secrets"),
    "a mount beside a folder": ({"secrets": [{"name": "s", "mountPath": "/a/../tmp"}]}, "spec.secrets"),
    "a mount nowhere": ({"configMaps": [{"name": "s", "mountPath": "here"}]}, "spec.configMaps"),
    "two mounts at one place": (
        {"secrets": [{"name": "s", "mountPath": "/x"}], "configMaps": [{"name": "c", "mountPath": "/x/"}]},
        "mountPath.*twice",
    ),
    "two Secrets at one place": ({"secrets": [{"name": each, "mountPath": "/x"} for each in "ab"]}, "mountPath.*twice"),
    "an interface nobody speaks": ({"interface": "smoke"}, "spec.interface"),
    "an event of nobody's": ({"lambda": {"event": "sqs"}}, "spec.lambda.event"),
    "a Lambda event for another interface": ({"interface": "asgi", "lambda": {}}, "spec.lambda"),
    "an availability beyond all": ({"slo": {"availability": 101}}, "spec.slo.availability"),
}
BAD_FOR_THE_SERVER = {
    "a route that is no path": ({"routes": [{"path": "x"}]}, r"spec.routes\[0\]"),
    "a field nobody knows": ({"replica": 3}, "spec.replica"),
}
"""What `parse` does not look at: it meets only what a server has pruned and defaulted, or `wick` has checked."""

OUTSIDE = ["../other/x", "other/x", "..", ".", "x%2F..", "x?y", "other:x", "Other", "x/", ""]
"""Names that no object has; some would mean another path, if one were pasted into a path."""
REFERENCES = {
    "source.configMap": lambda name: {"source": {"configMap": {"name": name}}},
    "env.configMapKeyRef": lambda name: _variable("configMapKeyRef", name),
    "env.secretKeyRef": lambda name: _variable("secretKeyRef", name),
    "envFrom.configMapRef": lambda name: {"envFrom": [{"configMapRef": {"name": name}}]},
    "envFrom.secretRef": lambda name: {"envFrom": [{"secretRef": {"name": name}}]},
    "secrets": lambda name: {"secrets": [{"name": name, "mountPath": "/x"}]},
    "configMaps": lambda name: {"configMaps": [{"name": name, "mountPath": "/x"}]},
    "serviceAccountName": lambda name: {"serviceAccountName": name},
    "imagePullSecrets": lambda name: {"imagePullSecrets": [{"name": name}]},
    "priorityClassName": lambda name: {"priorityClassName": name},
    "scale.metrics.secret": lambda name: {"scale": {"metrics": [QUERY | {"secret": name}]}},
}


def _variable(kind, name):
    return {"env": [{"name": "A", "valueFrom": {kind: {"name": name, "key": "k"}}}]}


def manifest(name="hello", **spec):
    spec = {field: value for field, value in {"source": SOURCE, **spec}.items() if value is not None}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata, "spec": spec}


NAMES = ["a" * 53, "1st", "kubewick-pool-python", "kubewick-dormant-python"]


@pytest.fixture(scope="module")
def store(kubeconfig):
    """Ask the API server whether it would store a manifest; `ApiRefused` otherwise."""
    with asyncio.Runner() as runner:
        cluster = runner.run(Cluster.connect(str(kubeconfig)))
        yield lambda body: runner.run(cluster.call("POST", FUNCTIONS.path("default"), query=STRICTLY, body=body))
        runner.run(cluster.close())


@pytest.mark.parametrize("wrong", BAD | BAD_FOR_THE_SERVER)
def test_a_wrong_field_is_refused_by_its_name(store, wrong):
    spec, field = (BAD | BAD_FOR_THE_SERVER)[wrong]
    with pytest.raises(ApiRefused, match=field):
        store(manifest(**spec))


@pytest.mark.parametrize("wrong", BAD)
def test_wick_refuses_it_too(wrong):
    with pytest.raises(SpecInvalid, match=r"^spec[.:]"):
        parse(manifest(**BAD[wrong][0]))


@pytest.mark.parametrize("field", REFERENCES)
def test_a_reference_names_an_object_beside_the_function_and_nothing_else(store, field):
    parse(manifest(**REFERENCES[field]("good.name-1")))
    store(manifest(**REFERENCES[field]("good.name-1")))
    for name in OUTSIDE:
        if field == "scale.metrics.secret" and not name:
            continue  # none
        with pytest.raises(ApiRefused, match="spec"):
            store(manifest(**REFERENCES[field](name)))
        with pytest.raises(SpecInvalid, match=field.split(".")[0]):
            parse(manifest(**REFERENCES[field](name)))


@pytest.mark.parametrize("name", NAMES)
def test_a_name_the_children_could_not_carry_is_refused(store, name):
    with pytest.raises(ApiRefused, match=r"metadata.name"):
        store(manifest(name))


def test_a_good_one_is_taken(store):
    store(manifest("a" * 52, handler="main:handle", timeout="24h", scale={"min": 0, "initial": 1, "max": 1}))


def test_every_rule_of_wick_has_a_case_that_the_api_server_refuses():
    told = [refusal(manifest(**spec)) for spec, _ in BAD.values()]
    told += [refusal(manifest(name)) for name in NAMES]
    told += [refusal(manifest(**REFERENCES["secrets"]("..")))]
    rules = [rule for module in (function, scale, quantity, reference) for rule in messages(module)]
    assert len(rules) > 30
    assert [rule.pattern for rule in rules if not any(rule.fullmatch(each) for each in told)] == []


def refusal(wrong):
    with pytest.raises(SpecInvalid) as refused:
        parse(wrong)
    return str(refused.value)


def messages(module):
    """What a module says of wrong fields, read from its code: each text that begins with a field and a colon."""
    tree = ast.parse(Path(module.__file__).read_text())
    inner = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)} - {
        node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else None for part in node.values]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inner:
            parts = [node.value]
        else:
            continue
        if re.match(r"(spec|metadata|\{\})[\w.\[\]{}]*: ", "".join("{}" if part is None else part for part in parts)):
            yield re.compile("".join(".*" if part is None else re.escape(part) for part in parts), re.DOTALL)
