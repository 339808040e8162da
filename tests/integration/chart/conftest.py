"""Fixtures for tests of the chart: helm, and an API server that judges what it renders."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from cluster import tools
from cluster.kubectl import kubectl

CHART = Path(__file__).parents[3] / "charts" / "kubewick"
RELEASE, NAMESPACE = "kubewick", "kubewick-system"
NAMESPACES = (NAMESPACE, "team-a", "team-b")
SERVED = "team-a"
LEFT_OUT = {"Deployment", "DaemonSet", "Job"}


@pytest.fixture(scope="session")
def helm():
    """Call helm; its output, or an AssertionError with what it said."""
    try:
        tools.ensure("helm")
    except tools.Missing as missing:
        pytest.skip(f"NO HELM, because this machine lacks {missing}")

    def call(*arguments, kubeconfig=None, values=None):
        command = [tools.path("helm"), *([f"--kubeconfig={kubeconfig}"] if kubeconfig else []), *arguments]
        stdin = None
        if values is not None:
            command, stdin = [*command, "--values", "-"], json.dumps(values)
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


@pytest.fixture(scope="session")
def chart():
    """The chart's folder."""
    return CHART


@pytest.fixture(scope="session")
def crds():
    """The folder with the CRDs."""
    return CHART / "crds"


@pytest.fixture(scope="session")
def render(helm):
    """What the chart renders with these values, as a list of manifests; hooks among them."""

    rendered: dict[str, str] = {}  # helm takes half a second a time

    def call(values=None):
        asked = json.dumps(values or {})
        if asked not in rendered:
            command = ("template", RELEASE, CHART, "-n", NAMESPACE, "--kube-version=1.37.0")
            rendered[asked] = helm(*command, values=values or {})
        # libyaml's loader: a fifth of the time, and there is much to read.
        return [manifest for manifest in yaml.load_all(rendered[asked], yaml.CSafeLoader) if manifest]

    return call


@pytest.fixture(scope="session")
def container():
    """The container of a part's Deployment, in manifests."""

    def find(manifests, part):
        name = f"{RELEASE}-{part}"
        ours = (each for each in manifests if each["kind"] == "Deployment" and each["metadata"]["name"] == name)
        return next(ours)["spec"]["template"]["spec"]["containers"][0]

    return find


@pytest.fixture(scope="session")
def environment(container):
    """What that container is given."""
    return lambda manifests, part: {
        each["name"]: each.get("value", "from the pod") for each in container(manifests, part)["env"]
    }


@pytest.fixture(scope="session")
def namespaces(kubeconfig):
    """The namespaces the tests render for."""
    for name in NAMESPACES:
        if name not in kubectl(kubeconfig, "get", "namespaces", "-o", "name"):
            kubectl(kubeconfig, "create", "namespace", name)
        # With warnings as errors, a pod template that `restricted` would refuse fails the test.
        kubectl(kubeconfig, "label", "--overwrite", "namespace", name, "pod-security.kubernetes.io/warn=restricted")

    return NAMESPACES


@pytest.fixture(scope="session")
def judge(kubeconfig, namespaces):
    """Call it with manifests to have the API server check them, without making them."""
    assert namespaces

    def check(manifests):
        text = "\n---\n".join(map(json.dumps, manifests))
        command = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-")
        return kubectl(kubeconfig, *command, stdin=text)

    return check


@pytest.fixture
def plane_with_rights(control_plane, render, namespaces):
    """The API server with the chart's rights installed for given values; returns a kubeconfig by component."""
    assert namespaces

    def install(values=None):
        rights = [each for each in render(values) if "rbac" in each["apiVersion"] or each["kind"] == "ServiceAccount"]
        rights = [each for each in rights if "helm.sh/hook" not in each["metadata"].get("annotations", {})]
        text = yaml.safe_dump_all(rights)
        kubectl(control_plane.kubeconfig, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)
        return lambda part: control_plane.user(f"system:serviceaccount:{NAMESPACE}:{RELEASE}-{part}")

    return install


@pytest.fixture
def installed(simulated_plane, render):
    """Install all of the chart but what runs pods; afterwards it is gone."""
    applied = []

    def install(values):
        for name in (NAMESPACE, SERVED):
            labels = {"pod-security.kubernetes.io/enforce": "restricted"}
            apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        manifests = [each for each in render(values) if each["kind"] not in LEFT_OUT]
        applied.extend(each for each in manifests if "helm.sh/hook" not in each["metadata"].get("annotations", {}))
        apply(*applied)
        return render(values)

    def apply(*manifests):
        text = yaml.safe_dump_all(manifests)
        kubectl(simulated_plane.kubeconfig, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)

    yield install
    kubectl(simulated_plane.kubeconfig, "label", "namespace", SERVED, "kubewick.dev/functions-")
    kubectl(simulated_plane.kubeconfig, "delete", "--wait", "-f", "-", stdin=yaml.safe_dump_all(applied))


@pytest.fixture(scope="session")
def promtool():
    """Debian's promtool."""
    found = shutil.which("promtool")
    if not found:
        pytest.skip("NO PROMTOOL, because this machine lacks the package `prometheus`")

    def call(*arguments):
        return subprocess.run([found, *arguments], capture_output=True, text=True, timeout=180, check=False)

    return call


@pytest.fixture(scope="session")
def written():
    """Names of all series that the parts write."""
    root = CHART.parents[1]
    sources = [root / "api" / "wick_api" / "metric.py", root / "operator" / "wick_operator" / "metrics.py"]
    return set(re.findall(r'"(kubewick_\w+)"', "".join(source.read_text() for source in sources)))
