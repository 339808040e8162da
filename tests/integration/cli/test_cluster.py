"""The commands against a real API server, with no operator: what the operator would write, the tests write."""

import json

import pytest

from cluster.kubectl import kubectl

HELLO = """\
apiVersion: kubewick.dev/v1alpha1
kind: Function
metadata: {name: hello}
spec:
  source: {inline: {main.py: "def handle(): return 'hi'"}}
"""


@pytest.fixture
def hello(tmp_path):
    file = tmp_path / "hello.yaml"
    file.write_text(HELLO)
    return file


@pytest.fixture
def report(kubeconfig, namespace):
    """Write a Function's status as the operator does."""

    def write(name, ready, reason, why, **more):
        def get(path):
            return kubectl(kubeconfig, "-n", namespace, "get", "fn", name, "-o", f"jsonpath={path}")

        status = {
            "observedGeneration": int(get("{.metadata.generation}")),
            "why": why,
            "conditions": [
                {
                    "type": "Ready",
                    "status": ready,
                    "reason": reason,
                    "message": why,
                    "lastTransitionTime": "2026-11-21T00:00:00Z",
                }
            ],
            **more,
        }
        patch = json.dumps({"status": status})
        kubectl(kubeconfig, "-n", namespace, "patch", "fn", name, "--subresource=status", "--type=merge", "-p", patch)

    return write


def test_deploy_applies_and_says_what_it_did(wick, hello, namespace):
    assert wick("deploy", hello, "--no-wait").out == f"Function {namespace}/hello created\n"
    assert wick("deploy", hello, "--no-wait").out == f"Function {namespace}/hello unchanged\n"
    hello.write_text(HELLO + "  timeout: 5s\n")
    assert wick("deploy", hello, "--no-wait").out == f"Function {namespace}/hello configured\n"


def test_deploy_applies_what_a_function_refers_to_first(wick, tmp_path, namespace):
    (tmp_path / "b.yaml").write_text(
        HELLO + "---\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: c}\ndata: {a: b}\n"
    )
    assert wick("deploy", tmp_path, "--no-wait").out.splitlines() == [
        f"ConfigMap {namespace}/c created",
        f"Function {namespace}/hello created",
    ]


def test_deploy_waits_until_the_function_is_ready(wick, hello, report):
    with wick.running("deploy", hello, "--timeout", 30) as deploying:
        waiting = deploying.stderr.readline()
        report("hello", "True", "Idle", "idle; the next request starts it")
        _, rest = deploying.communicate(timeout=30)
    assert deploying.returncode == 0, rest
    assert "waiting for the operator" in waiting
    assert rest.endswith("/hello: ready\n")


def test_deploy_gives_up_at_once_on_what_only_an_edit_can_mend(wick, hello, report):
    wick("deploy", hello, "--no-wait")
    report("hello", "False", "LoadFailed", "main.py:1: invalid syntax")
    ran = wick("deploy", hello, "--timeout", 30)
    assert ran.code == 1, ran
    assert "main.py:1: invalid syntax" in ran.err


def test_deploy_says_why_when_its_time_is_over(wick, hello, report):
    wick("deploy", hello, "--no-wait")
    report("hello", "False", "ImagePull", "cannot pull the image")
    ran = wick("deploy", hello, "--timeout", 1)
    assert ran.code == 6, ran
    assert "not ready in time" in ran.err
    assert "cannot pull the image" in ran.err


def test_an_invalid_file_is_refused_with_its_line_before_anything_is_sent(wick, hello):
    hello.write_text(HELLO + "  concurency: 3\n")
    ran = wick("deploy", hello)
    assert ran.code == 3, ran
    assert f"{hello}:6: spec.concurency: no such field; did you mean 'concurrency'?" in ran.err
    assert wick("list", "-o", "json").json == []


def test_what_only_the_api_server_refuses_has_a_line_too(wick, hello):
    hello.write_text(HELLO + "  tolerations:\n    - operator: [1]\n")
    ran = wick("deploy", hello)
    assert ran.code == 3, ran
    assert f"{hello}:7: spec.tolerations[0].operator: expected string" in ran.err
    owners = "\n  name: hello\n  ownerReferences: [{apiVersion: v1, kind: Pod, name: a, uid: ''}]"
    hello.write_text(HELLO.replace("{name: hello}", owners))
    ran = wick("deploy", hello)
    assert ran.code == 3, ran
    assert f"{hello}:5: " in ran.err, ran
    assert "ownerReferences[0].uid" in ran.err, ran


def test_list_shows_readiness_instances_and_why(wick, hello, report):
    wick("deploy", hello, "--no-wait")
    report("hello", "True", "Idle", "idle; the next request starts it", replicas=2, readyReplicas=1)
    head, row = wick("list").out.splitlines()
    assert head.split() == ["NAME", "READY", "INSTANCES", "VISIBILITY", "AGE", "WHY"]
    assert row.split()[:3] == ["hello", "True", "1/2"]
    assert row.endswith("idle; the next request starts it")
    assert [shown["metadata"]["name"] for shown in wick("list", "-o", "json").json] == ["hello"]


def test_describe_shows_conditions_and_decisions(wick, hello, report):
    wick("deploy", hello, "--no-wait")
    decisions = [{"at": "12:00", "replicas": 3, "reason": "panic"}]
    report("hello", "True", "Ready", "serving", scale={"decisions": decisions})
    out = wick("describe", "hello").out
    for words in ("Why:", "serving", "CONDITION", "Ready", "DECIDED", "panic"):
        assert words in out


def test_logs_of_a_function_at_zero_are_empty_and_of_none_an_error(wick, hello):
    wick("deploy", hello, "--no-wait")
    ran = wick("logs", "hello")
    assert (ran.code, ran.out) == (0, "")
    assert wick("logs", "other").code == 4


def test_delete_removes_the_function(wick, hello, namespace):
    wick("deploy", hello, "--no-wait")
    assert wick("delete", "hello").out == f"deleted {namespace}/hello\n"
    assert wick("delete", "hello").code == 4
    assert wick("describe", "hello").code == 4


def test_invoke_without_a_router_says_so(wick, hello):
    wick("deploy", hello, "--no-wait")
    ran = wick("invoke", "hello")
    assert ran.code == 5, ran
    assert "no router in this cluster" in ran.err


def test_invoke_refuses_a_header_that_would_not_arrive(wick):
    ran = wick("invoke", "hello", "-H", "Authorization: Bearer x")
    assert ran.code == 1
    assert "Authorization" in ran.err


def test_a_conflict_with_another_manager_is_an_error_not_a_takeover(wick, hello, kubeconfig, namespace):
    wick("deploy", hello, "--no-wait")
    patch = '{"spec": {"timeout": "9s"}}'
    kubectl(kubeconfig, "-n", namespace, "patch", "fn", "hello", "--type=merge", "-p", patch)
    hello.write_text(HELLO + "  timeout: 5s\n")
    ran = wick("deploy", hello, "--no-wait")
    assert ran.code == 1, ran
    assert "conflict" in ran.err
    assert "spec.timeout" in ran.err


def test_dry_run_prints_what_kubectl_apply_accepts(wick, tmp_path, kubeconfig, namespace):
    folder = tmp_path / "mine"
    assert wick("init", folder, where=()).code == 0
    ran = wick("deploy", folder, "--dry-run")
    assert ran.code == 0, ran
    assert "mine created" in kubectl(kubeconfig, "-n", namespace, "apply", "-f", "-", stdin=ran.out)
    assert "main.py" in wick("list", "-o", "json").json[0]["spec"]["source"]["inline"]


def test_no_cluster_is_one_line_and_its_own_exit_code(wick, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    ran = wick("list", "--context", "no-such-context")
    assert ran.code == 5, ran
    assert len(ran.err.strip().splitlines()) == 1


def test_the_examples_apply_as_they_stand(kubeconfig, namespace):
    applied = kubectl(kubeconfig, "-n", namespace, "apply", "-f", "examples/")
    assert applied.count("function.kubewick.dev/") == 6
