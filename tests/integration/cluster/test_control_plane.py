import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from cluster import tools
from cluster.control_plane import ControlPlane
from cluster.kubectl import kubectl
from cluster.waiting import eventually


def deployment(name, replicas):
    labels = {"app": name}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "example.invalid/none"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def test_the_api_server_has_the_version_it_was_built_from(kubeconfig):
    assert f"Server Version: {tools.version(tools.PROGRAMS['kube-apiserver'])}" in kubectl(kubeconfig, "version")


def test_every_test_has_a_namespace_of_its_own(kubeconfig, namespace):
    assert kubectl(kubeconfig, "get", "pods", "-n", namespace, "-o", "name") == ""


def test_two_control_planes_run_side_by_side():
    with ControlPlane.start() as one, ControlPlane.start() as other:
        for plane in (one, other):
            kubectl(plane.kubeconfig, "create", "namespace", "only-once")


def test_controllers_make_replica_sets_of_deployments(controlled_plane, controlled_namespace):
    def pods():
        return kubectl(controlled_plane.kubeconfig, "get", "pods", "-o", "name", "-n", controlled_namespace).split()

    kubectl(
        controlled_plane.kubeconfig,
        "apply",
        "-n",
        controlled_namespace,
        "-f",
        "-",
        stdin=json.dumps(deployment("two", 2)),
    )
    eventually(lambda: len(pods()) == 2)
    kubectl(controlled_plane.kubeconfig, "delete", "deployment", "two", "-n", controlled_namespace)
    eventually(lambda: pods() == [])


def test_pods_become_ready_on_simulated_nodes(simulated_plane, simulated_namespace):
    kubeconfig, where = simulated_plane.kubeconfig, ("-n", simulated_namespace)
    kubectl(kubeconfig, "apply", *where, "-f", "-", stdin=json.dumps(deployment("many", 20)))
    kubectl(kubeconfig, "wait", *where, "deployment/many", "--for=condition=Available", "--timeout=120s", timeout=130)


STARTER = """
import time
from cluster import tools
from cluster.control_plane import ControlPlane

with ControlPlane.start(controllers=True) as plane:
    print(plane.folder, *(each.process.pid for each in plane.servers.values()), flush=True)
    time.sleep(600)
"""


def runs(pid):
    """Whether it does more than wait to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_killed_test_run_leaves_no_server_behind():
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-c", STARTER], env=environment, stdout=subprocess.PIPE) as starter:
        folder, *pids = starter.stdout.readline().decode().split()
        starter.kill()
    try:
        eventually(lambda: not any(runs(pid) for pid in pids))
    finally:
        shutil.rmtree(folder)
