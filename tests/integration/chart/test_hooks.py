"""The chart's jobs, run as they are rendered: the same scripts, the same arguments, exactly their accounts' rights."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import yaml

from cluster import tools
from cluster.control_plane import ControlPlane
from cluster.kubectl import kubectl
from cluster.tools import Missing
from cluster.waiting import eventually

NAMESPACE = "kubewick-system"


@pytest.fixture(scope="module")
def plane(crds):
    """A control plane of its own, since these tests change CRDs; pods of Deployments become Ready."""
    try:
        with ControlPlane.start(nodes=1) as plane:
            kubectl(plane.kubeconfig, "apply", "--server-side", "-f", str(crds))
            for name in (NAMESPACE, "team-a", "team-b"):
                kubectl(plane.kubeconfig, "create", "namespace", name)
            yield plane
    except Missing as missing:
        pytest.skip(f"NO CONTROL PLANE, because this machine lacks {missing}")


@pytest.fixture
def run(plane, render, tmp_path):
    """Run one of the chart's jobs by name; what it said."""

    def call(job, values=None, arguments=lambda rendered: rendered):
        ours = [each for each in render(values) if each["metadata"]["name"].endswith(f"kubewick-{job}")]
        rights = [each for each in ours if each["kind"] not in {"Job", "ConfigMap"}]
        kubectl(plane.kubeconfig, "apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(rights))
        account = tmp_path / "account"
        account.mkdir(exist_ok=True)
        account.joinpath("token").write_text(
            kubectl(plane.kubeconfig, "create", "token", "-n", NAMESPACE, f"kubewick-{job}")
        )
        account.joinpath("ca.crt").write_bytes(plane.authority.certificate.read_bytes())
        scripts = tmp_path / job
        scripts.mkdir(exist_ok=True)
        for name, text in found(ours, "ConfigMap")["data"].items():
            scripts.joinpath(name).write_text(text)
        _, *command = found(ours, "Job")["spec"]["template"]["spec"]["containers"][0]["command"]
        command = [each.replace("/scripts", str(scripts)) for each in arguments(command)]
        done = subprocess.run(
            [sys.executable, *command, plane.server, str(account)],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    return call


def test_an_upgrade_brings_the_crd_up_to_date_and_keeps_every_function(plane, run, crds):
    new = yaml.safe_load((crds / "functions.kubewick.dev.yaml").read_text())
    old = yaml.safe_load((crds / "functions.kubewick.dev.yaml").read_text())
    del spec_fields(old)["rollbackTo"]
    kubectl(plane.kubeconfig, "replace", "-f", "-", stdin=json.dumps(old))
    apply(plane, function("kept"), "team-a")

    assert "functions.kubewick.dev is up to date" in run("apply-crds")

    now = json.loads(kubectl(plane.kubeconfig, "get", "crd", "functions.kubewick.dev", "-o", "json"))
    assert spec_fields(now) == spec_fields(new)
    assert "kept" in kubectl(plane.kubeconfig, "get", "functions", "-n", "team-a", "-o", "name")
    assert run("apply-crds") == run("apply-crds"), "applying twice is as good as once"


def test_the_job_that_applies_crds_may_touch_no_other(plane, run):
    run("apply-crds")
    user = f"--as=system:serviceaccount:{NAMESPACE}:kubewick-apply-crds"
    for verb, what, answer in (
        ("patch", "customresourcedefinitions/functions.kubewick.dev", "yes"),
        ("delete", "customresourcedefinitions/functions.kubewick.dev", "no"),
        ("patch", "customresourcedefinitions/others.example.com", "no"),
        ("list", "secrets", "no"),
    ):
        ask = ("auth", "can-i", verb, what, "-A", user)
        eventually(lambda ask=ask, answer=answer: kubectl_says(plane, *ask) == answer)


@pytest.mark.parametrize("values", [{}, {"watchNamespaces": ["team-a", NAMESPACE]}], ids=["everywhere", "named"])
def test_an_uninstall_stops_the_operator_and_then_removes_pools_and_nothing_else(plane, run, values):
    labels = {"app.kubernetes.io/part-of": "kubewick", "app.kubernetes.io/component": "pool"}
    apply(plane, deployment("kubewick-operator", {"app": "operator"}), NAMESPACE)
    apply(plane, deployment("pool-python", labels), "team-a")
    apply(plane, deployment("pool-python", labels), "team-b")
    apply(plane, deployment("dormant-python", {**labels, "app.kubernetes.io/component": "dormant"}), "team-a")
    apply(plane, deployment("hello", {**labels, "app.kubernetes.io/component": "function"}), "team-a")
    eventually(lambda: "1/1" in kubectl(plane.kubeconfig, "get", "deploy", "kubewick-operator", "-n", NAMESPACE))

    said = run("clean-up", values)

    assert said.index("the operator has stopped") < said.index("deleted pool team-a/pool-python")

    def left(namespace):
        return set(kubectl(plane.kubeconfig, "get", "deploy", "-n", namespace, "-o", "name").split())

    eventually(lambda: left("team-a") == {"deployment.apps/hello"})
    pool = {"deployment.apps/pool-python"}  # a namespaced installation leaves other namespaces alone
    eventually(lambda: left("team-b") == (pool if values else set()))


def test_an_uninstall_of_what_is_gone_already_succeeds(run, plane):
    kubectl(plane.kubeconfig, "delete", "deploy", "kubewick-operator", "-n", NAMESPACE, "--ignore-not-found")
    assert "stopped" not in run("clean-up")


def test_helm_test_applies_calls_and_removes_its_function(plane, run):
    with answering("Kubewick works", until_known=2) as (url, seen):
        said = run("first-call", arguments=lambda command: [command[0], url, command[2]])
    assert "it answered 'Kubewick works'; the cold start took 17 ms" in said
    assert seen == [f"/function/{NAMESPACE}/helm-test/"] * 3
    assert kubectl(plane.kubeconfig, "get", "functions", "-n", NAMESPACE, "-o", "name") == ""


def test_helm_test_fails_for_a_wrong_answer_and_removes_its_function_all_the_same(plane, run):
    with (
        answering("something else") as (url, _),
        pytest.raises(AssertionError, match="the answer should have been 'Kubewick works'"),
    ):
        run("first-call", arguments=lambda command: [command[0], url, command[2]])
    assert kubectl(plane.kubeconfig, "get", "functions", "-n", NAMESPACE, "-o", "name") == ""


class answering:  # noqa: N801 - reads as a verb
    """An HTTP server in the router's place: 404 a few times, then an answer with a cold start."""

    def __init__(self, text, until_known=0):
        seen = self._seen = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                seen.append(self.path)
                self.send_response(200 if len(seen) > until_known else 404)
                self.send_header("Kubewick-Cold-Start", "17")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self):
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}", self._seen

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def found(manifests, kind):
    (one,) = [each for each in manifests if each["kind"] == kind]
    return one


def spec_fields(crd):
    return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]


def apply(plane, manifest, namespace):
    kubectl(plane.kubeconfig, "apply", "--server-side", "-n", namespace, "-f", "-", stdin=json.dumps(manifest))


def kubectl_says(plane, *arguments):
    """`auth can-i` exits with 1 for a no."""
    command = [tools.path("kubectl"), f"--kubeconfig={plane.kubeconfig}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def function(name):
    source = {"inline": {"main.py": "def handle(request):\n    return 1\n"}}
    return {
        "apiVersion": "kubewick.dev/v1alpha1",
        "kind": "Function",
        "metadata": {"name": name},
        "spec": {"source": source},
    }


def deployment(name, labels):
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels}, "spec": spec}
