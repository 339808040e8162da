"""A Function's children: made, kept, repaired, and never taken from somebody else."""

import json

import pytest

from cluster.kubectl import Refused, kubectl
from cluster.waiting import eventually
from operating.world import condition, function


def managers_of_replicas(deployment):
    return {
        entry["manager"]
        for entry in deployment["metadata"]["managedFields"]
        if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
    }


def written(child):
    """A child as everybody but Kubernetes' own controllers wrote it: those write when they come to it."""
    about = {key: value for key, value in child["metadata"].items() if key not in {"resourceVersion", "managedFields"}}
    notes = {key: value for key, value in about.get("annotations", {}).items() if not key.startswith("deployment.")}
    managers = [entry for entry in child["metadata"]["managedFields"] if entry["manager"] != "kube-controller-manager"]
    rest = {key: value for key, value in child.items() if key not in {"metadata", "status"}}
    return about | {"annotations": notes}, managers, rest


def test_a_function_gets_its_children_and_rests(operated, controlled_namespace):
    operated.apply(controlled_namespace, function())
    status = operated.ready("hello", controlled_namespace, "Idle")
    deployment = operated.get("deploy", "hello", controlled_namespace)
    service = operated.get("svc", "hello", controlled_namespace)
    kept = operated.get("cm", f"hello-{status['revision']}", controlled_namespace)
    assert deployment["spec"]["replicas"] == 0
    assert service["spec"]["externalName"] == "kubewick-router-internal.kubewick-system.svc.cluster.local"
    assert kept["immutable"]
    uid = operated.get("fn", "hello", controlled_namespace)["metadata"]["uid"]
    assert {child["metadata"]["ownerReferences"][0]["uid"] for child in (deployment, service, kept)} == {uid}
    assert status["url"] == f"http://hello.{controlled_namespace}.svc.cluster.local"


def test_the_number_of_instances_starts_as_asked_and_is_then_left_alone(operated, controlled_namespace):
    def with_concurrency(number):
        operated.apply(controlled_namespace, function(scale={"initial": 2}, concurrency=number))

        def updated():
            seen = operated.get("deploy", "hello", controlled_namespace, fields=True)
            env = seen["spec"]["template"]["spec"]["containers"][0]["env"] if seen else []
            return {"name": "KUBEWICK_CONCURRENCY", "value": str(number)} in env and seen

        return eventually(updated)

    made = with_concurrency(5)
    assert (made["spec"]["replicas"], managers_of_replicas(made)) == (2, {"kubewick-operator"})
    changed = with_concurrency(6)
    assert (changed["spec"]["replicas"], managers_of_replicas(changed)) == (2, {"kubewick-autoscaler"})
    kubectl(operated.plane.kubeconfig, "scale", "deploy/hello", "-n", controlled_namespace, "--replicas=3")
    assert with_concurrency(7)["spec"]["replicas"] == 3


def children(world, namespace, name="hello"):
    """What was written to each of a function's children."""
    found = [world.get(kind, name, namespace, fields=True) for kind in ("deploy", "svc")]
    found += world.list("cm", namespace, "-l", f"kubewick.dev/function={name}", "--show-managed-fields")
    return {(child["kind"], child["metadata"]["name"]): written(child) for child in found}


def test_the_same_function_again_writes_nothing(operated, controlled_namespace):
    operated.apply(controlled_namespace, function(env=[{"name": "B"}, {"name": "A", "value": "1"}]))
    status = operated.ready("hello", controlled_namespace)
    before = children(operated, controlled_namespace)
    operated.apply(controlled_namespace, function(env=[{"name": "A", "value": "1"}, {"name": "B"}]))
    generation = operated.get("fn", "hello", controlled_namespace)["metadata"]["generation"]
    after = operated.status("hello", controlled_namespace, lambda seen: seen["observedGeneration"] == generation)
    assert children(operated, controlled_namespace) == before
    assert after["wantedRevision"] == status["wantedRevision"]
    kubectl(operated.plane.kubeconfig, "annotate", "fn/hello", "-n", controlled_namespace, "note=x")
    noted = operated.get("fn", "hello", controlled_namespace)["metadata"]["resourceVersion"]
    operated.apply(controlled_namespace, function("later"))  # it waits in the same queue, behind
    operated.ready("later", controlled_namespace)
    assert operated.get("fn", "hello", controlled_namespace)["metadata"]["resourceVersion"] == noted
    assert children(operated, controlled_namespace) == before


@pytest.mark.parametrize(
    "harm",
    [
        ("delete", "svc/hello"),
        ("delete", "deploy/hello"),
        ("patch", "svc/hello", "--type=merge", "-p", '{"spec": {"externalName": "evil.example"}}'),
        ("set", "env", "deploy/hello", "KUBEWICK_HANDLER=evil:evil"),
        ("label", "deploy/hello", "kubewick.dev/function-", "--overwrite"),
    ],
    ids=lambda harm: " ".join(harm[:3]),
)
def test_harm_to_a_child_is_repaired(operated, controlled_namespace, harm):
    operated.apply(controlled_namespace, function())
    operated.ready("hello", controlled_namespace)
    uid = operated.get("fn", "hello", controlled_namespace)["metadata"]["uid"]
    kubectl(operated.plane.kubeconfig, harm[0], "-n", controlled_namespace, *harm[1:])

    def whole():
        deployment, service = (operated.get(kind, "hello", controlled_namespace) for kind in ("deploy", "svc"))
        assert deployment
        assert service
        assert deployment["metadata"]["ownerReferences"][0]["uid"] == uid
        assert deployment["metadata"]["labels"]["kubewick.dev/function"] == "hello"
        env = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
        assert {"name": "KUBEWICK_HANDLER", "value": "main:handle"} in env
        assert service["spec"]["externalName"].startswith("kubewick-router-internal.")
        return True

    eventually(whole)


def foreign(name="hello"):
    labels = {"app": "mine"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "x"}]}},
        },
    }


def test_an_object_of_somebody_else_is_reported_and_never_touched(operated, controlled_namespace):
    operated.apply(controlled_namespace, foreign())
    before = written(operated.get("deploy", "hello", controlled_namespace, fields=True))
    operated.apply(controlled_namespace, function())
    status = operated.ready("hello", controlled_namespace, "NotOwned")
    assert "Deployment hello exists already and belongs to nobody Kubewick knows" in status["why"]
    assert written(operated.get("deploy", "hello", controlled_namespace, fields=True)) == before
    kubectl(operated.plane.kubeconfig, "delete", "deploy/hello", "-n", controlled_namespace)
    operated.ready("hello", controlled_namespace, "Idle")


def test_children_go_with_their_function_and_a_new_one_of_the_same_name_gets_its_own(operated, controlled_namespace):
    operated.apply(controlled_namespace, function())
    operated.ready("hello", controlled_namespace)
    kubectl(operated.plane.kubeconfig, "delete", "fn/hello", "-n", controlled_namespace)
    operated.apply(controlled_namespace, function(handler="main:other"))
    uid = operated.get("fn", "hello", controlled_namespace)["metadata"]["uid"]
    operated.ready("hello", controlled_namespace)
    owners = {
        child["metadata"]["ownerReferences"][0]["uid"]
        for kind in ("deploy", "svc")
        for child in operated.list(kind, controlled_namespace)
    }
    assert owners == {uid}
    kubectl(operated.plane.kubeconfig, "delete", "fn/hello", "-n", controlled_namespace)

    def left():
        kinds = ("deploy", "svc", "rs")
        found = [child["metadata"]["name"] for kind in kinds for child in operated.list(kind, controlled_namespace)]
        kept = operated.list("cm", controlled_namespace, "-l", "kubewick.dev/function")
        return found + [each["metadata"]["name"] for each in kept]

    eventually(lambda: left() == [])


def test_a_namespace_that_goes_takes_everything_with_it(operated, controlled_namespace):
    operated.apply(controlled_namespace, *(function(f"f{number}") for number in range(5)))
    operated.ready("f4", controlled_namespace)
    kubectl(operated.plane.kubeconfig, "delete", "namespace", controlled_namespace, "--timeout=120s", timeout=130)
    with pytest.raises(Refused, match="not found"):
        kubectl(operated.plane.kubeconfig, "get", "namespace", controlled_namespace)
    eventually(lambda: "ok" in operated.process.ask("/healthz"))


def test_changes_of_state_are_told_as_events_once(operated, controlled_namespace):
    operated.apply(controlled_namespace, function())
    operated.ready("hello", controlled_namespace)
    operated.apply(controlled_namespace, function(runtime="cobol"))
    status = operated.ready("hello", controlled_namespace, "RuntimeUnknown")
    assert "choose one of python" in status["why"]

    def told():
        events = operated.list("events.events.k8s.io", controlled_namespace)
        return sorted(event["reason"] for event in events if event["regarding"]["kind"] == "Function")

    eventually(lambda: told() == ["RuntimeUnknown"])
    operated.apply(controlled_namespace, function())
    operated.ready("hello", controlled_namespace, "Idle")
    eventually(lambda: told() == ["Idle", "RuntimeUnknown"])


def test_the_older_function_keeps_its_route(operated, controlled_namespace):
    route = {"host": f"{controlled_namespace}.example"}
    operated.apply(controlled_namespace, function("first", routes=[route]))
    operated.ready("first", controlled_namespace)
    operated.outlive_the_second_of("first", controlled_namespace)
    operated.apply(controlled_namespace, function("second", routes=[route]))
    status = operated.ready("second", controlled_namespace, "RouteConflict")
    assert f"{controlled_namespace}/first" in status["why"]
    kubectl(operated.plane.kubeconfig, "delete", "fn/first", "-n", controlled_namespace)
    operated.ready("second", controlled_namespace, "Idle")


def test_an_invalid_function_that_got_past_the_rules_is_told_so(operated, controlled_namespace):
    bad = function(source={"inline": {"main.py": "é" * 475_000}})  # the rules count characters
    text = json.dumps(bad, ensure_ascii=False)
    kubectl(operated.plane.kubeconfig, "create", "-n", controlled_namespace, "-f", "-", stdin=text)
    status = operated.ready("hello", controlled_namespace, "InvalidSpec")
    assert "950000 bytes are more than 900000" in status["why"]
    assert condition(status, "SourceResolved")["status"] == "False"
