"""A real scheduler holds a function's own pods back while a warm pod stands in for them; no operator runs here."""

import json

import pytest

from cluster.kubectl import kubectl
from cluster.waiting import eventually
from wick_api import diagnosis, names, warm
from wick_api.function import parse
from wick_api.revision import Revision
from wick_operator.config import OperatorConfig
from wick_operator.function.decisions.desired import choice
from wick_operator.function.decisions.desired.children import deployment
from wick_operator.pool.decisions.adoption import release

CONFIG = OperatorConfig(pool_key="the installation's secret")


class Cluster:
    """What a test does to its namespace of the simulated cluster."""

    def __init__(self, kubeconfig, namespace):
        self._kubeconfig, self.namespace = kubeconfig, namespace

    def kubectl(self, *command, given=None):
        return kubectl(self._kubeconfig, "-n", self.namespace, *command, stdin=given and json.dumps(given))

    def function(self, name):
        """A function at rest, without its operator; what a claim of a warm pod for it writes."""
        made = parse(
            {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "metadata": {"name": name, "namespace": self.namespace, "uid": "u"},
                "spec": {"source": {"inline": {"main.py": ""}}},
            }
        )
        revision = choice.new(made, CONFIG, {"main.py": ""})
        child = deployment(made, revision, "")
        del child["metadata"]["ownerReferences"]
        child["spec"]["replicas"] = 0
        self.kubectl("apply", "-f", "-", given=child)
        return warm.claim({"metadata": {"resourceVersion": ""}}, made, Revision(revision.name, {}, revision.template))

    def warm_pod(self, claim):
        """A pod that runs, with a claim's labels."""
        metadata = {"name": "warm", "labels": {k: v for k, v in claim["metadata"]["labels"].items() if v is not None}}
        spec = {"containers": [{"name": "function", "image": "none"}]}
        self.kubectl("apply", "-f", "-", given={"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        return eventually(lambda: self.on_nodes("warm"))[0]

    def own(self, name):
        """The pods of the function's Deployment."""
        listed = json.loads(self.kubectl("get", "pods", "-l", f"{names.FUNCTION}={name}", "-o", "json"))["items"]
        return [pod for pod in listed if pod["metadata"].get("ownerReferences")]

    def on_nodes(self, name):
        listed = json.loads(self.kubectl("get", "pods", "-o", "json"))["items"]
        return [pod for pod in listed if pod["metadata"]["name"].startswith(name) and "nodeName" in pod["spec"]]

    def refused(self, name):
        """The function's own pods that no node may take."""
        conditions = [(pod, each) for pod in self.own(name) for each in pod["status"].get("conditions", ())]
        return [pod for pod, each in conditions if each["type"] == "PodScheduled" and each["status"] == "False"]


@pytest.fixture
def cluster(simulated_plane, simulated_namespace):
    made = Cluster(simulated_plane.kubeconfig, simulated_namespace)
    eventually(lambda: "default" in made.kubectl("get", "serviceaccounts"))
    return made


@pytest.mark.parametrize("end", ["it is adopted and released", "it is gone"])
def test_a_functions_own_pod_gets_a_node_once_the_warm_one_stands_in_for_it_no_more(cluster, end):
    pod = cluster.warm_pod(cluster.function("hello"))
    cluster.kubectl("scale", "deployment", "hello", "--replicas=1")
    [waiting] = eventually(lambda: cluster.refused("hello"))
    assert diagnosis.of_pod(waiting) is None
    assert cluster.on_nodes("hello") == []
    if end == "it is gone":
        cluster.kubectl("delete", "pod", "warm", "--wait=false")
    else:
        cluster.kubectl("patch", "pod", "warm", "--type=merge", "-p", json.dumps(release(pod)))
    eventually(lambda: cluster.on_nodes("hello"))


def test_other_functions_pods_and_warm_ones_do_not_wait(cluster):
    cluster.warm_pod(cluster.function("hello"))
    cluster.function("other")
    cluster.kubectl("scale", "deployment", "other", "--replicas=2")
    eventually(lambda: len(cluster.on_nodes("other")) == 2)
