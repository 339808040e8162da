import pytest

from wick_cli.document import manifest
from wick_cli.local.decisions.environment import Unrunnable
from wick_cli.local.specialization import specialization
from wick_cli.project import assemble

HEAD = "apiVersion: kubewick.dev/v1alpha1\nkind: Function\nmetadata: {name: f}\n"


def body(spec, more=""):
    documents, problems = manifest.read("f.yaml", f"{HEAD}spec: {spec}\n---\n{more}")
    project = assemble(documents, problems, "default")
    assert not project.problems
    (authored,) = project.functions.values()
    return specialization(authored.function, project)


def test_the_body_carries_everything_that_decides_what_runs():
    made = body("{source: {inline: {main.py: x}}, timeout: 5s, concurrency: 3, env: [{name: A, value: b}]}")
    assert made == {
        "function": "f",
        "namespace": "default",
        "handler": "main:handle",
        "interface": "auto",
        "files": {"main.py": "x"},
        "env": {"A": "b"},
        "concurrency": 3,
        "timeout": 5.0,
        "maxRequestBytes": 10 * 1024 * 1024,
        "startTimeout": 300.0,
        "debug": False,
        "revision": made["revision"],
    }


def test_a_lambda_event_goes_along_only_where_it_is_chosen():
    assert body("{source: {inline: {main.py: x}}, lambda: {}}")["lambdaEvent"] == "url"
    assert body("{source: {inline: {main.py: x}}, lambda: {event: alb}}")["lambdaEvent"] == "alb"


def test_source_comes_from_a_configmap_in_the_files():
    made = body(
        "{source: {configMap: {name: c}}}", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {main.py: z}\n"
    )
    assert made["files"] == {"main.py": "z"}


def test_the_revision_follows_what_runs_and_not_how_far_it_scales():
    first = body("{source: {inline: {main.py: x}}}")["revision"]
    assert body("{source: {inline: {main.py: x}}, scale: {max: 3}}")["revision"] == first
    assert body("{source: {inline: {main.py: z}}}")["revision"] != first
    assert body("{source: {inline: {main.py: x}}, env: [{name: A, value: b}]}")["revision"] != first


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("{image: nginx}", "spec.image: wick up runs no containers"),
        ("{source: {inline: {a.py: x}}, secrets: [{name: s, mountPath: /s}]}", "spec.secrets: wick up cannot mount"),
        ("{source: {configMap: {name: c}}}", "ConfigMap 'c' is in none of the files"),
    ],
)
def test_what_only_a_cluster_can_run_says_so(spec, words):
    with pytest.raises(Unrunnable, match=words):
        body(spec)
