"""A new version of the chart on a cluster at work: nobody notices, and the way back is as quiet."""

import json
import os
import shutil

import pytest
import yaml

from cluster import release, testbed
from cluster.calling import load
from cluster.kubectl import kubectl
from cluster.platforms import OnCluster, function
from cluster.waiting import eventually

PLATFORM = "app.kubernetes.io/part-of=kubewick,app.kubernetes.io/component in (operator,router)"
NEXT = "-next"
PUBLIC_PORT = 8082
QUICK = {"idle": "1s", "window": "6s"}


def says(word):
    return f"def handle():\n    return {word!r}"


@pytest.fixture
def next_version(tmp_path):
    """The chart with another version number, and a CRD that knows one more optional field."""
    folder = shutil.copytree(release.CHART, tmp_path / "chart")
    about = yaml.safe_load((folder / "Chart.yaml").read_text())
    (folder / "Chart.yaml").write_text(yaml.safe_dump(about | {"version": "9.9.9"}))
    file = folder / "crds" / "functions.kubewick.dev.yaml"
    crd = yaml.safe_load(file.read_text())
    spec_fields(crd)["addedLater"] = {"type": "string", "description": "Of the next version."}
    file.write_text(yaml.safe_dump(crd))
    return folder


@pytest.fixture
def this_crd(cluster_kubeconfig):
    """Afterwards the CRD is the tree's again: Helm rolls back no CRD."""
    yield
    release.apply_crds(cluster_kubeconfig)


@pytest.mark.usefixtures("this_crd")
def test_upgrading_and_rolling_back_under_load_fails_no_request_and_restarts_no_function(cluster, next_version):
    cluster.deploy(
        function("steady", says("steady"), scale={"min": 1}),
        function("woken", says("woken"), scale={"idle": "10m"}),
        function("sleepy", says("sleepy"), scale=QUICK),
    )
    assert cluster.call("woken").status == 200
    eventually(lambda: cluster.instances("steady") and cluster.instances("woken"))
    before = running(cluster, "steady", "woken")
    values = release.installed_values(cluster.kubeconfig)
    with (
        load(lambda: cluster.call("steady"), clients=4, rate=40) as steady,
        load(lambda: cluster.call("woken"), rate=10) as woken,
        load(lambda: cluster.call("sleepy"), rate=0.2) as sleepy,
    ):
        release.install(cluster.kubeconfig, changed(values), chart=next_version)
        eventually(lambda: all(version.endswith(NEXT) for version in versions(cluster)))
        assert "addedLater" in spec_fields(served_crd(cluster))
        release.roll_back(cluster.kubeconfig)
        eventually(lambda: not any(version.endswith(NEXT) for version in versions(cluster)))
        eventually(lambda: min(len(seen.answers) for seen in (steady, woken, sleepy)) > 2)
    assert steady.failures() + woken.failures() + sleepy.failures() == []
    assert running(cluster, "steady", "woken") == before


@pytest.fixture
def one_port(tmp_path, cluster):
    """The chart with routers as they were before there were two data ports; afterwards the tree's own is back."""
    folder = shutil.copytree(release.CHART, tmp_path / "one-port")
    replace(folder / "templates/router/_env.tpl", '  "publicPort" 8082\n', "")
    ports = "            - {name: internal, containerPort: 8080}\n            - {name: http, containerPort: 8082}\n"
    replace(folder / "templates/router/deployment.yaml", ports, ports.splitlines(keepends=True)[0])
    replace(folder / "templates/router/deployment.yaml", "{name: internal,", "{name: http,")
    values = release.installed_values(cluster.kubeconfig)
    yield folder
    release.install(cluster.kubeconfig, values)


def router_ports(cluster):
    """Data and admin ports of every router pod that exists, those that are ending included."""
    chosen = ("-n", release.NAMESPACE, "-l", "app.kubernetes.io/component=router", "-o", "json")
    pods = json.loads(kubectl(cluster.kubeconfig, "get", "pods", *chosen))["items"]
    containers = [container for pod in pods for container in pod["spec"]["containers"]]
    return {port["containerPort"] for container in containers for port in container.get("ports", ())}


@pytest.mark.skipif("KUBEWICK_URL" in os.environ, reason="Services' addresses are out of reach on Docker")
def test_going_from_one_data_port_to_two_fails_no_request(cluster, one_port):
    """As docs/operations.md says: first all is served where it was, then outsiders get public functions alone."""
    cluster.deploy(
        function("outside", says("outside"), scale={"min": 1}, visibility="public"),
        function("inside", says("inside"), scale={"min": 1}),
    )
    values = release.installed_values(cluster.kubeconfig)
    release.install(cluster.kubeconfig, values, chart=one_port)
    public = OnCluster(cluster.kubeconfig, release.public_url(cluster.kubeconfig), cluster.namespace)
    eventually(lambda: PUBLIC_PORT not in router_ports(cluster))  # the pods before these have ended, too
    eventually(lambda: public.call("inside").status == public.call("outside").status == 200)
    step = json.loads(json.dumps(values))
    step["router"]["settings"] = {**step["router"].get("settings", {}), "publicServes": "all"}
    with (
        load(lambda: public.call("outside"), clients=2, rate=20) as from_outside,
        load(lambda: cluster.call("inside"), clients=2, rate=20) as from_inside,
    ):
        with load(lambda: public.call("inside"), clients=2, rate=20) as not_yet_closed:
            release.install(cluster.kubeconfig, step)
            eventually(lambda: len(not_yet_closed.answers) > 2)
        release.install(cluster.kubeconfig, values)
        eventually(lambda: public.call("inside").status == public.call("nobody").status == 404)
        assert cluster.call("inside").status == public.call("outside").status == 200
    assert from_outside.failures() + from_inside.failures() + not_yet_closed.failures() == []


def test_helm_test_finds_a_working_installation(cluster):
    assert "Phase:          Succeeded" in release.test(cluster.kubeconfig)


def replace(file, before, after):
    """Change a file in one place."""
    text = file.read_text()
    assert text.count(before) == 1
    file.write_text(text.replace(before, after))


def changed(values):
    """Every image by another tag and a setting of each part changed, so that all of the platform is replaced."""
    changed = json.loads(json.dumps(values))
    for images in (changed["operator"], changed["router"], changed["runtimes"]["python"]):
        repository, tag = images["image"]["repository"], images["image"]["tag"]
        images["image"]["tag"] = testbed.retag(f"{repository}:{tag}", NEXT).rpartition(":")[2]
    changed["operator"]["podLabels"] = changed["router"]["podLabels"] = {"version": "v1" + NEXT}
    changed["router"]["settings"] = {**changed["router"].get("settings", {}), "queueBytes": 33554432}
    return changed


def versions(cluster):
    """Versions of the operator's and routers' pods that are there, those on their way out among them."""
    pods = kubectl(cluster.kubeconfig, "get", "pods", "-n", release.NAMESPACE, "-l", PLATFORM, "-o", "json")
    return [pod["metadata"]["labels"].get("version", "") for pod in json.loads(pods)["items"]]


def running(cluster, *names):
    """Each function's pods, and how often their containers have started anew."""
    return {
        pod["metadata"]["uid"]: [each["restartCount"] for each in pod["status"]["containerStatuses"]]
        for name in names
        for pod in cluster.pods(name)
    }


def served_crd(cluster):
    return json.loads(kubectl(cluster.kubeconfig, "get", "crd", "functions.kubewick.dev", "-o", "json"))


def spec_fields(crd):
    return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
