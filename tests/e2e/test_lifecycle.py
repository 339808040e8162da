"""Helm, kubectl and what they leave behind: stories only a cluster has."""

import json
from pathlib import Path

import pytest

from cluster import release
from cluster.calling import call
from cluster.kubectl import kubectl
from cluster.platforms import function
from cluster.waiting import eventually

EXAMPLES = Path(__file__).parents[2] / "examples"
CALLS = [
    pytest.param(calls.parent.name, number, id=f"{calls.parent.name}-{number}")
    for calls in sorted(EXAMPLES.glob("*/calls.json"))
    for number in range(len(json.loads(calls.read_text())))
]
OURS = "app.kubernetes.io/part-of=kubewick,app.kubernetes.io/component in (operator,router,pool)"


@pytest.fixture(scope="module")
def examples(cluster_kubeconfig):
    """`kubectl apply -f examples/`, as the README says, into `default`."""
    kubectl(cluster_kubeconfig, "apply", "-f", str(EXAMPLES))
    yield
    kubectl(cluster_kubeconfig, "delete", "--ignore-not-found", "-f", str(EXAMPLES))


def sent(folder, one):
    if "bodyFile" in one:
        return (folder / one["bodyFile"]).read_bytes()
    return one["body"].encode() if "body" in one else None


@pytest.mark.usefixtures("examples")
@pytest.mark.parametrize(("name", "number"), CALLS)
def test_an_example_answers_its_calls_as_written_down(router, name, number):
    folder = EXAMPLES / name
    one = json.loads((folder / "calls.json").read_text())[number]
    answer = call(
        f"{router}/function/default/{name}{one['path']}",
        method=one.get("method"),
        body=sent(folder, one),
        headers=one.get("headers"),
    )
    assert answer.status == one["status"], answer
    wanted = (folder / one["answerFile"]).read_text() if "answerFile" in one else one["answer"]
    if isinstance(wanted, str) and "json" not in answer.headers["content-type"]:
        assert answer.body.decode() == wanted
    else:
        assert answer.json == (json.loads(wanted) if isinstance(wanted, str) else wanted)


def test_deleting_a_function_removes_its_children(cluster):
    cluster.deploy(function("parent", "def handle():\n    return 'ok'"))
    assert cluster.call("parent").status == 200

    def children():
        kinds = "deployments,replicasets,pods,services,configmaps"
        return cluster.kubectl("get", kinds, "-l", "kubewick.dev/function=parent", "-o", "name").split()

    assert {each.split("/")[0] for each in children()} >= {"deployment.apps", "service", "configmap", "pod"}
    cluster.delete("parent")
    eventually(lambda: children() == [])


def test_a_bad_function_is_refused_with_the_field_named(cluster):
    with pytest.raises(Exception, match="scale"):
        cluster.apply(function("bad", "x = 1", scale={"min": 3, "max": 1}))


def test_a_function_is_reached_by_its_own_name_from_a_pod(cluster):
    cluster.deploy(
        function("callee", "def handle():\n    return 'from afar'"),
        function(
            "caller",
            "import urllib.request\n\n\ndef handle(request):\n"
            "    with urllib.request.urlopen(request.query['url'], timeout=20) as answer:\n"
            "        return answer.read()",
        ),
    )
    url = f"http://callee.{cluster.namespace}.svc.cluster.local/"
    assert cluster.call("caller", f"/?url={url}").body == b"from afar"


def test_uninstalling_leaves_no_operator_router_or_pool_and_installing_again_serves_what_was_there(cluster):
    cluster.deploy(function("stays", "def handle():\n    return 'still here'"))
    values = release.installed_values(cluster.kubeconfig)

    def pods():
        return kubectl(cluster.kubeconfig, "get", "pods,deployments", "-A", "-l", OURS, "-o", "name").split()

    release.uninstall(cluster.kubeconfig)
    try:
        eventually(lambda: pods() == [])
    finally:
        release.install(cluster.kubeconfig, values)
    cluster.router = release.router_url(cluster.kubeconfig)
    eventually(lambda: answer_of(cluster, "stays") == b"still here")


def answer_of(cluster, name):
    """What it answers; nothing while the node does not yet know the way to a router."""
    try:
        return cluster.call(name).body
    except OSError:
        return b""
