"""Revisions: named by content, kept, rolled back to; Secrets and ConfigMaps roll the pods."""

import base64
import json

from cluster.kubectl import kubectl
from cluster.waiting import eventually
from operating.world import condition, function
from wick_api.revision import unpack


def source(text):
    return {"source": {"inline": {"main.py": text, "pkg/x_y.py": ""}}}


def wanted(world, namespace, but=""):
    """The wanted revision once it is another than `but`."""
    return world.status("hello", namespace, lambda status: status.get("wantedRevision", but) != but)["wantedRevision"]


def kept(world, namespace):
    return {cm["metadata"]["labels"]["kubewick.dev/revision"] for cm in world.list("cm", namespace, "-l", LABEL)}


LABEL = "kubewick.dev/function=hello"


def test_a_change_of_source_is_a_new_revision_and_can_be_rolled_back(operated, controlled_namespace):
    operated.apply(controlled_namespace, function(**source("one")))
    one = wanted(operated, controlled_namespace)
    template = operated.get("deploy", "hello", controlled_namespace)["spec"]["template"]
    operated.apply(controlled_namespace, function(**source("two")))
    two = wanted(operated, controlled_namespace, but=one)
    eventually(lambda: kept(operated, controlled_namespace) == {one, two})
    assert unpack(operated.get("cm", f"hello-{two}", controlled_namespace)).files == {
        "main.py": "two",
        "pkg/x_y.py": "",
    }
    operated.patch("fn", "hello", controlled_namespace, {"spec": {"rollbackTo": one, "concurrency": 3}})
    operated.status("hello", controlled_namespace, lambda status: status["wantedRevision"] == one)
    assert operated.get("deploy", "hello", controlled_namespace)["spec"]["template"] == template
    operated.patch("fn", "hello", controlled_namespace, {"spec": {"rollbackTo": None, "concurrency": 10}})
    operated.status("hello", controlled_namespace, lambda status: status["wantedRevision"] == two)


def test_the_history_has_a_limit(operated, controlled_namespace):
    seen = ""
    for number in range(5):
        operated.apply(controlled_namespace, function(revisionHistoryLimit=2, **source(str(number))))
        seen = wanted(operated, controlled_namespace, but=seen)
    eventually(lambda: len(kept(operated, controlled_namespace)) == 3)
    status = operated.status("hello", controlled_namespace, lambda status: len(status["revisions"]) == 3)
    assert seen in {each["name"] for each in status["revisions"]}


def test_rolling_back_to_nothing_is_told_with_what_is_kept(operated, controlled_namespace):
    operated.apply(controlled_namespace, function())
    one = wanted(operated, controlled_namespace)
    operated.patch("fn", "hello", controlled_namespace, {"spec": {"rollbackTo": "0123456789"}})
    status = operated.ready("hello", controlled_namespace, "RevisionNotFound")
    assert f"kept are {one}" in status["why"]


def test_a_config_map_can_be_the_source(operated, controlled_namespace):
    operated.apply(controlled_namespace, function(source={"configMap": {"name": "code"}}))
    status = operated.ready("hello", controlled_namespace, "SourceNotFound")
    assert "ConfigMap code does not exist" in status["why"]
    code = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "code"}, "data": {"main.py": "a"}}
    operated.apply(controlled_namespace, code)
    one = operated.ready("hello", controlled_namespace, "Idle")["wantedRevision"]
    operated.apply(controlled_namespace, {**code, "data": {"main.py": "b"}})
    two = wanted(operated, controlled_namespace, but=one)
    assert unpack(operated.get("cm", f"hello-{two}", controlled_namespace)).files == {"main.py": "b"}


def secret(value):
    data = {"KEY": base64.b64encode(value.encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data}


def test_a_secret_that_is_missing_is_told_and_one_that_changes_rolls_the_pods(operated, controlled_namespace):
    operated.apply(controlled_namespace, function(envFrom=[{"secretRef": {"name": "s"}}]))
    status = operated.ready("hello", controlled_namespace, "ConfigMissing")
    assert "Secret s does not exist" in status["why"]
    operated.apply(controlled_namespace, secret("one"))
    one = operated.ready("hello", controlled_namespace, "Idle")
    operated.apply(controlled_namespace, secret("two"))
    two = operated.status(
        "hello", controlled_namespace, lambda status: status["configChecksum"] != one["configChecksum"]
    )
    assert two["wantedRevision"] == one["wantedRevision"]
    annotations = operated.get("deploy", "hello", controlled_namespace)["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"kubewick.dev/config": two["configChecksum"]}
    shown = json.dumps(operated.get("fn", "hello", controlled_namespace))
    assert base64.b64encode(b"two").decode() not in shown


def test_scale_and_labels_restart_nothing(operated, controlled_namespace):
    operated.apply(controlled_namespace, function(scale={"initial": 1}))
    pods = eventually(lambda: operated.list("pod", controlled_namespace, "-l", LABEL))
    operated.apply(controlled_namespace, function(scale={"initial": 1, "max": 5}, routes=[{"host": "restart.example"}]))
    kubectl(operated.plane.kubeconfig, "label", "fn/hello", "-n", controlled_namespace, "team=x")
    generation = operated.get("fn", "hello", controlled_namespace)["metadata"]["generation"]
    operated.status("hello", controlled_namespace, lambda status: status["observedGeneration"] == generation)
    after = operated.list("pod", controlled_namespace, "-l", LABEL)
    assert [pod["metadata"]["uid"] for pod in after] == [pod["metadata"]["uid"] for pod in pods]


def test_an_upgrade_with_another_runtime_image_restarts_nothing_that_runs(operated, controlled_namespace):
    """The operator of the upgraded chart waits for the Lease; the session's keeps it, so the template is asked for."""
    operated.apply(controlled_namespace, function(scale={"initial": 1}))
    first = wanted(operated, controlled_namespace)
    eventually(lambda: operated.list("pod", controlled_namespace, "-l", LABEL))
    operated.process.stop()
    runtimes = json.dumps({"python": "kubewick/runtime:next"})
    upgraded = operated.operator(identity="upgraded", runtimes=runtimes, resync=3600)
    try:
        upgraded.wait_until_it_leads()
        operated.apply(controlled_namespace, function(scale={"initial": 1, "max": 7}))  # so that it is looked at
        seen = operated.status("hello", controlled_namespace, lambda status: status.get("observedGeneration") == 2)
        assert seen["wantedRevision"] == first
        kubectl(operated.plane.kubeconfig, "scale", "deploy/hello", "-n", controlled_namespace, "--replicas=0")
        second = wanted(operated, controlled_namespace, but=first)
        template = operated.get("deploy", "hello", controlled_namespace)["spec"]["template"]
        assert template["spec"]["containers"][0]["image"] == "kubewick/runtime:next"
        assert condition(operated.ready("hello", controlled_namespace), "Ready")["status"] == "True"
        assert second != first
    finally:
        upgraded.stop()
        operated.process = operated.operator(identity="session", resync=3600)
        operated.process.wait_until_it_leads()
