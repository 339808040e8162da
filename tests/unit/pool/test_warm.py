"""Which functions a warm pod can become, and what it is told."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_api import names, quantity, warm
from wick_api.environment import Unresolvable, needed
from wick_api.function import parse
from wick_api.revision import Revision
from wick_api.warm import Obstacle
from wick_operator.config import OperatorConfig
from wick_operator.function.decisions import drift
from wick_operator.function.decisions.desired.template import render
from wick_operator.pool.decisions import manifest
from wick_operator.pool_settings import PoolSettings, PoolSettingsInvalid, installation, namespace

CONFIG = OperatorConfig(pool_key="k")
WITH_VOLUMES = OperatorConfig(pool_key="k", image_volumes=False)
LARGE = {"source": {"inline": {"main.py": "x" * 100_000}}}


def function(**spec):
    given = {"source": {"inline": {"main.py": ""}}, **spec}
    return parse(
        {
            "apiVersion": "kubewick.dev/v1alpha1",
            "kind": "Function",
            "metadata": {"name": "f", "namespace": "n"},
            "spec": {field: value for field, value in given.items() if value is not None},
        }
    )


def template(config=CONFIG, **spec):
    made = function(**spec)
    return render(made, config, (made.spec.source.inline if made.spec.source else {}) or {}, "abc")


def pool_pod(config=CONFIG, *, dormant=False, **settings):
    made = manifest.deployment("n", "python", PoolSettings(**settings), config, 1, dormant=dormant)["spec"]["template"]
    status = {"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}]}
    metadata = {"name": "p", "namespace": "n", "uid": "u", "resourceVersion": "5", **made["metadata"]}
    return {"metadata": metadata, "spec": {**made["spec"], "nodeName": "node"}, "status": status}


def test_a_warm_pod_becomes_only_functions_that_see_users_as_it_does():
    apart = OperatorConfig(pool_key="k", host_users=False)
    assert warm.obstacle(template(apart), pool_pod(apart)) is Obstacle.NONE
    assert warm.obstacle(template(apart), pool_pod()) is Obstacle.SHAPE
    assert warm.obstacle(template(), pool_pod(apart)) is Obstacle.SHAPE


@pytest.mark.parametrize(
    ("spec", "obstacle"),
    [
        ({}, Obstacle.NONE),
        ({"env": [{"name": "A", "value": "1"}], "handler": "m:h", "concurrency": 3}, Obstacle.NONE),
        ({"envFrom": [{"configMapRef": {"name": "c"}}]}, Obstacle.NONE),
        ({"resources": {"requests": {"cpu": "1"}}}, Obstacle.NONE),
        ({"resources": {"limits": {"memory": "1Gi"}}}, Obstacle.MEMORY),
        ({"resources": {"limits": {"memory": "128Mi", "nvidia.com/gpu": "1"}}}, Obstacle.RESOURCES),
        (
            {"resources": {"requests": {"cpu": "1", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "64Mi"}}},
            Obstacle.RESOURCES,
        ),
        ({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}, Obstacle.SECRETS),
        ({"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]}, Obstacle.ENVIRONMENT),
        ({"secrets": [{"name": "s", "mountPath": "/s"}]}, Obstacle.SHAPE),
        ({"serviceAccountName": "other"}, Obstacle.SHAPE),
        ({"nodeSelector": {"gpu": "yes"}}, Obstacle.SHAPE),
        ({"source": None, "image": "x"}, Obstacle.SHAPE),
        ({"timeout": "10m"}, Obstacle.GRACE),
        (LARGE, Obstacle.NONE),
        ({"resources": {"limits": {"ephemeral-storage": "1Gi"}}}, Obstacle.SHAPE),
    ],
)
def test_what_a_running_pod_cannot_be_given_is_an_obstacle(spec, obstacle):
    assert warm.obstacle(template(**spec), pool_pod()) is obstacle
    told = obstacle in warm.EXPLAINED and "resources" not in spec
    assert warm.hindered(function(**spec).spec) is (obstacle if told else Obstacle.NONE)


@pytest.mark.parametrize("obstacle", [Obstacle.SHAPE, Obstacle.SECRETS, Obstacle.ENVIRONMENT])
def test_every_obstacle_that_a_spec_alone_tells_has_words_for_people(obstacle):
    assert warm.EXPLAINED[obstacle]


def test_a_pool_of_another_runtime_image_fits_nobody():
    newer = OperatorConfig(pool_key="k", runtimes={"python": "runtime:2"})
    made = function()
    assert warm.obstacle(render(made, newer, {}, "abc"), pool_pod()) is Obstacle.SHAPE


@pytest.mark.parametrize("spec", [{}, LARGE], ids=["a small source", "a large one"])
def test_warm_pods_with_volumes_fit_functions_with_volumes_and_those_without_fit_those_without(spec):
    fits = [
        [warm.obstacle(template(one, **spec), pool_pod(other)) is Obstacle.NONE for other in (CONFIG, WITH_VOLUMES)]
        for one in (CONFIG, WITH_VOLUMES)
    ]
    assert fits == [[True, False], [False, True]]


def test_a_warm_pod_has_no_volume_or_else_a_writable_one_for_its_code():
    assert pool_pod()["spec"]["volumes"] == pool_pod()["spec"]["containers"][0]["volumeMounts"] == []
    spec = pool_pod(WITH_VOLUMES)["spec"]
    room = {"medium": "Memory", "sizeLimit": "16Mi"}
    assert spec["volumes"] == [{"name": "tmp", "emptyDir": {}}, {"name": "source", "emptyDir": room}]
    assert {"name": "source", "mountPath": "/function"} in spec["containers"][0]["volumeMounts"]


def test_a_claim_works_once_leaves_the_pool_and_carries_the_functions_labels():
    made = function()
    patch = warm.claim(pool_pod(), made, Revision("abc", {}, template()))["metadata"]
    assert patch["resourceVersion"] == "5"
    assert [(owner["kind"], owner.get("controller")) for owner in patch["ownerReferences"]] == [("Function", None)]
    assert patch["labels"]["kubewick.dev/pool"] is None
    assert patch["labels"]["pod-template-hash"] is None
    assert patch["labels"]["kubewick.dev/function"] == patch["labels"]["kubewick.dev/claimed-by"] == "f"


def test_no_warm_pod_waits_for_another():
    assert "affinity" in template()["spec"]
    assert "affinity" not in pool_pod()["spec"]


def test_an_order_carries_code_limits_and_the_authors_environment_but_none_of_kubewicks():
    spec = {
        "env": [
            {"name": "A", "value": "1"},
            {"name": "B", "value": "$(A)-$$(A)-$(NONE)"},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
        "envFrom": [{"prefix": "C_", "configMapRef": {"name": "c"}}],
        "timeout": "5s",
        "concurrency": 7,
    }
    made = function(**spec)
    revision = Revision("abc", {"main.py": "x"}, template(**spec))
    order = warm.order(made, revision, pool_pod(), {"c": {"k": "v"}})
    assert order["env"] == {"PORT": "8080", "A": "1", "B": "1-$(A)-$(NONE)", "NODE": "node", "C_k": "v"}
    assert (order["files"], order["timeout"], order["concurrency"]) == ({"main.py": "x"}, 5.0, 7)


@pytest.mark.parametrize(
    ("spec", "event"), [({}, None), ({"lambda": {}}, "url"), ({"lambda": {"event": "alb"}}, "alb")]
)
def test_a_chosen_lambda_event_reaches_a_warm_pod(spec, event):
    order = warm.order(function(**spec), Revision("abc", {}, template(**spec)), pool_pod(), {})
    assert order.get("lambdaEvent") == event


def test_the_source_is_not_read_again_for_a_claim_and_reaches_the_function_as_files_only():
    made = function()
    own = template(OperatorConfig())
    assert any("configMapKeyRef" in each.get("valueFrom", {}) for each in own["spec"]["containers"][0]["env"])
    assert needed(own["spec"]["containers"][0]) == set()
    order = warm.order(made, Revision("abc", {"main.py": "x"}, own), pool_pod(), {})
    assert (order["files"], order["env"]) == ({"main.py": "x"}, {"PORT": "8080"})


def test_a_missing_config_map_is_named():
    spec = {"envFrom": [{"configMapRef": {"name": "c"}}]}
    with pytest.raises(Unresolvable, match="ConfigMap 'c' does not exist"):
        warm.order(function(**spec), Revision("abc", {}, template(**spec)), pool_pod(), {})


def test_a_claimed_pod_gets_its_functions_resources_and_one_that_has_them_is_left_alone():
    wanted = {"requests": {"cpu": "1"}}
    assert warm.resize(wanted, pool_pod()) == [{"op": "add", "path": "/spec/containers/0/resources", "value": wanted}]
    same = {"requests": {"cpu": "0.1", "memory": "65536Ki"}, "limits": {"memory": "0.25Gi"}}
    assert warm.resize(template()["spec"]["containers"][0]["resources"], pool_pod(resources=same)) is None


@given(st.text(), st.text(), st.text())
def test_a_token_opens_its_own_pool_only_and_a_pod_knows_no_more_than_its_digest(key, one, other):
    token = warm.token(key, one, "python")
    assert hashlib.sha256(token.encode()).hexdigest() == warm.token_digest(token)
    assert (one == other) == (warm.token(key, other, "python") == token)


def test_a_namespace_changes_only_what_it_names():
    pools = installation('{"python": {"min": 2, "max": 5}}')
    changed = namespace(pools, {"kubewick.dev/pool": '{"python": {"max": 9}}'})
    assert (changed["python"].min, changed["python"].max) == (2, 9)


@pytest.mark.parametrize(
    "text", ["{", '{"python": {"min": -1}}', '{"python": {"size": 3}}', '{"python": {"min": 5, "max": 2}}']
)
def test_settings_that_cannot_be_read_are_refused(text):
    with pytest.raises(PoolSettingsInvalid):
        installation(text)


@pytest.mark.parametrize("size", [1, 2])
def test_a_pool_differs_from_the_one_before_by_its_size_and_by_what_was_left_out(size):
    before = manifest.deployment("n", "python", PoolSettings(preload=("json",)), CONFIG, 1)
    assert drift.differs(manifest.deployment("n", "python", PoolSettings(), CONFIG, size), before)
    same = manifest.deployment("n", "python", PoolSettings(preload=("json",)), CONFIG, size)
    assert drift.differs(same, before) == (size != 1)


@given(st.integers(0, 5), st.integers(0, 5))
def test_a_claimed_pod_has_lost_its_function_once_its_container_was_restarted_more_often_than_before(before, since):
    made, pod = function(), pool_pod()
    pod["status"]["containerStatuses"] = [{"name": "function", "restartCount": before}]
    assert not warm.forgot(pod)  # it waits, however often it was restarted
    patch = warm.claim(pod, made, Revision("abc", {}, template()))
    claimed = warm.claimed(pod, patch)
    claimed["metadata"]["annotations"] = patch["metadata"].get("annotations", {})
    assert not warm.forgot(claimed)
    claimed["status"]["containerStatuses"][0]["restartCount"] += since
    assert warm.forgot(claimed) == (since > 0)


def test_an_annotation_of_somebody_else_breaks_no_look_at_a_claimed_pod():
    pod = pool_pod()
    pod["metadata"] |= {"labels": {names.CLAIMED_BY: "hello"}, "annotations": {warm.RESTARTS: "none"}}
    assert not warm.forgot(pod)


@given(st.sampled_from([(), ("json",)]), st.sampled_from(["8Mi", "48Mi", "1Gi"]))
def test_a_dormant_pod_can_become_what_a_warm_one_can_and_asks_for_less(preload, memory):
    resources = {"requests": {"cpu": "10m", "memory": memory}, "limits": {"memory": "1Gi"}}
    awake, asleep = (pool_pod(dormant=each, preload=preload, resources=resources) for each in (False, True))
    for spec in ({}, {"resources": {"limits": {"memory": "1Gi"}}}, {"serviceAccountName": "x"}, {"timeout": "400s"}):
        assert warm.obstacle(template(**spec), asleep) == warm.obstacle(template(**spec), awake)
    asked, limits = (asleep["spec"]["containers"][0]["resources"][part] for part in ("requests", "limits"))
    assert quantity.parse(asked["memory"]) == min(quantity.parse(memory), quantity.parse("12Mi"))
    assert (asked["cpu"], limits) == ("10m", resources["limits"])
    given = {each["name"] for each in asleep["spec"]["containers"][0]["env"]}
    assert given - {each["name"] for each in awake["spec"]["containers"][0]["env"]} == {"KUBEWICK_DORMANT"}
    assert "KUBEWICK_PRELOAD" not in given, "its first start would wait for all of them"


def test_the_two_parts_of_a_pool_share_neither_name_nor_selector():
    awake, asleep = (
        manifest.deployment("n", "python", PoolSettings(), CONFIG, 1, dormant=each) for each in (False, True)
    )
    assert awake["metadata"]["name"] != asleep["metadata"]["name"]
    for one, other in ((awake, asleep), (asleep, awake)):
        wanted = one["spec"]["selector"]["matchLabels"].items()
        assert wanted <= one["spec"]["template"]["metadata"]["labels"].items()
        assert not wanted <= other["spec"]["template"]["metadata"]["labels"].items()
    assert warm.is_dormant(asleep["spec"]["template"])
    assert not warm.is_dormant(awake["spec"]["template"])
