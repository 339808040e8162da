"""Desired state is a function: equal Functions give equal bytes, and no text of a user bends a manifest's shape."""

import json
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitrary.functions import config, env, functions, make, manifest, name, specs, text
from wick_api.function import parse
from wick_api.revision import canonical as as_json
from wick_api.revision import unpack
from wick_operator.config import OperatorConfig
from wick_operator.function.decisions.desired import choice, environment
from wick_operator.function.decisions.desired.action import Action, action
from wick_operator.function.decisions.desired.children import children
from wick_operator.observed.managed_fields import Owner

LABEL = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]")
DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")


def files_of(function):
    return dict(function.spec.source.inline) if function.spec.source else {}


def wanted(function, config=config, checksum=""):
    files = files_of(function)
    revision = choice.new(function, config, files)
    return children(function, config, revision, choice.input_of(function, files), checksum)


def deployment(function, **more):
    return wanted(function, **more)[2]


def shape(value):
    """A manifest with every text replaced, and mappings of the user's own names left out."""
    if isinstance(value, dict):
        return {key: shape(entry) for key, entry in value.items() if key not in {"data", "nodeSelector"}}
    if isinstance(value, list):
        return [shape(entry) for entry in value]
    return type(value).__name__


@given(name, specs)
def test_equal_functions_give_equal_bytes(name, spec):
    twice = [as_json(wanted(parse(manifest(name, json.loads(json.dumps(spec)))))) for _ in range(2)]
    assert twice[0] == twice[1]


@given(text.filter(bool), text.filter(bool), text, text)
def test_no_text_of_a_user_changes_a_manifest_s_shape(one, other, value, another):
    def of(image, value):
        return shape(wanted(make(image=image, env=[{"name": "A", "value": value}], nodeSelector={"x": value})))

    assert of(one, value) == of(other, another)


@given(functions)
def test_every_manifest_survives_being_written_and_read(function):
    assert json.loads(as_json(wanted(function))) == json.loads(json.dumps(wanted(function)))


@given(functions)
def test_every_child_has_its_owner_its_labels_and_a_legal_name(function):
    for child in wanted(function):
        metadata = child["metadata"]
        assert DNS_LABEL.fullmatch(metadata["name"])
        assert [owner["uid"] for owner in metadata["ownerReferences"] if owner["controller"]] == ["u-1"]
        assert metadata["labels"]["kubewick.dev/function"] == function.key.name
        assert all(LABEL.fullmatch(label) for label in metadata["labels"].values())


@given(functions, functions)
def test_the_selector_never_changes(before, after):
    after = parse(manifest(before.key.name, json.loads(as_json(spec_of(after)))))
    assert deployment(before)["spec"]["selector"] == deployment(after)["spec"]["selector"]
    template = deployment(after)["spec"]["template"]["metadata"]["labels"]
    assert deployment(after)["spec"]["selector"]["matchLabels"].items() <= template.items()


def spec_of(function):
    return {"image": "x"} if function.spec.image else {"source": {"inline": files_of(function)}}


@given(functions)
def test_replicas_are_never_set(function):
    assert "replicas" not in deployment(function)["spec"]


@given(functions)
def test_pods_meet_the_restricted_standard(function):
    pod = deployment(function)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert pod["automountServiceAccountToken"] == (function.spec.service_account_name is not None)
    assert not pod["enableServiceLinks"]


@given(functions)
def test_pods_have_a_user_namespace_of_their_own_where_the_installation_says_so(function):
    shared, apart = (deployment(function, config=OperatorConfig(host_users=users)) for users in (True, False))
    assert "hostUsers" not in shared["spec"]["template"]["spec"]
    assert apart["spec"]["template"]["spec"]["hostUsers"] is False


@given(env, st.randoms(use_true_random=False))
def test_the_order_of_independent_variables_rolls_nothing(variables, dice):
    variables = [variable for variable in variables if "$(" not in variable.get("value", "")]
    shuffled = random.Random(dice.random()).sample(variables, len(variables))
    assert as_json(wanted(make(env=variables))) == as_json(wanted(make(env=shuffled)))


def expanded(variables):
    """What Kubernetes makes of them: $(NAME) stands for a variable defined before, and for itself otherwise."""
    values = {}
    for variable in variables:
        parts = re.split(r"(\$\([^()]+\))", variable.get("value", ""))
        values[variable["name"]] = "".join(values.get(part[2:-1], part) if part[:2] == "$(" else part for part in parts)
    return values


@given(env)
def test_sorting_variables_changes_no_value(variables):
    assert expanded(environment.canonical(variables)) == expanded(variables)


@given(functions)
def test_kubewick_s_own_variables_come_first_and_once(function):
    (container,) = deployment(function)["spec"]["template"]["spec"]["containers"]
    given_names = [variable["name"] for variable in container["env"]]
    assert len(given_names) == len(set(given_names))
    assert given_names[0] == "PORT"


@given(functions)
def test_the_kept_revision_gives_back_template_and_files(function):
    config_map, _, deployed = wanted(function)
    kept = unpack(json.loads(as_json(config_map)))
    assert kept.files == files_of(function)
    assert as_json(kept.template) == as_json(deployed["spec"]["template"])


@pytest.mark.parametrize(
    "edit",
    [
        {"scale": {"min": 1, "max": 3}},
        {"routes": [{"host": "a.example"}]},
        {"revisionHistoryLimit": 1},
        {"slo": {"availability": 99.9}},
    ],
)
def test_scale_routes_and_the_like_make_no_revision(edit):
    assert deployment(make(**edit)) == deployment(make())


@pytest.mark.parametrize(
    "edit",
    [
        {"source": {"inline": {"main.py": "x = 1"}}},
        {"source": {"inline": {"other.py": "def handle(): return 'hi'"}}},
        {"handler": "main:other"},
        {"interface": "asgi"},
        {"lambda": {"event": "url"}},
        {"lambda": {"event": "alb"}},
        {"env": [{"name": "A", "value": "1"}]},
        {"envFrom": [{"secretRef": {"name": "s"}}]},
        {"secrets": [{"name": "s", "mountPath": "/s"}]},
        {"configMaps": [{"name": "s", "mountPath": "/s"}]},
        {"resources": {"limits": {"memory": "1Gi"}}},
        {"serviceAccountName": "x"},
        {"imagePullSecrets": [{"name": "x"}]},
        {"nodeSelector": {"a": "b"}},
        {"tolerations": [{"operator": "Exists"}]},
        {"priorityClassName": "x"},
        {"concurrency": 11},
        {"timeout": "61s"},
        {"startTimeout": "61s"},
        {"maxRequestBytes": 1},
        {"debug": True},
    ],
)
def test_what_decides_what_runs_makes_a_revision(edit):
    old, new = make(), make(**edit)
    assert wanted(old)[0]["metadata"]["name"] != wanted(new)[0]["metadata"]["name"]
    assert choice.input_of(old, files_of(old)) != choice.input_of(new, files_of(new))


def test_a_start_timeout_written_out_as_the_default_rolls_nothing():
    old, new = make(), make(startTimeout="300s")
    assert deployment(old) == deployment(new)
    assert choice.input_of(old, files_of(old)) == choice.input_of(new, files_of(new))


def test_an_image_s_concurrency_is_the_router_s_business_and_rolls_nothing():
    assert deployment(make(image="x", concurrency=1)) == deployment(make(image="x", concurrency=2))


def test_a_changed_secret_rolls_the_pods_without_a_new_revision():
    one, other = (deployment(make(), checksum=each)["spec"]["template"] for each in ("aa", "bb"))
    assert one != other
    assert one["metadata"]["labels"] == other["metadata"]["labels"]


@given(functions)
def test_an_upgrade_of_the_runtime_restarts_nothing_that_runs(function):
    upgraded = OperatorConfig(runtimes={"python": "runtime:2"})
    before, after = (choice.new(function, each, files_of(function)) for each in (config, upgraded))
    input_now = choice.input_of(function, files_of(function))
    running = choice.Running(before.name, input_now, at_rest=False)
    assert choice.keeps(running, input_now)
    assert not choice.keeps(choice.Running(before.name, input_now, at_rest=True), input_now)
    assert (before.name == after.name) == (function.spec.image is not None)


def test_the_refresh_annotation_asks_for_what_is_new():
    plain = parse(manifest("hello", {"image": "x"}))
    refreshed = parse(manifest("hello", {"image": "x"}, annotations={"kubewick.dev/refresh": "1"}))
    assert choice.input_of(plain, {}) != choice.input_of(refreshed, {})


@pytest.mark.parametrize(
    ("given_resources", "got"),
    [
        ({}, {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}),
        ({"limits": {"memory": "32Mi"}}, {"requests": {"cpu": "100m"}, "limits": {"memory": "32Mi"}}),
        ({"requests": {"memory": "1Gi"}}, {"requests": {"cpu": "100m", "memory": "1Gi"}}),
        (
            {"limits": {"cpu": "2"}},
            {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "2", "memory": "256Mi"}},
        ),
        (
            {"limits": {"cpu": "50m"}},
            {"requests": {"memory": "64Mi"}, "limits": {"cpu": "50m", "memory": "256Mi"}},
        ),
        (
            {"limits": {"memory": "1Gi", "ephemeral-storage": "1Gi"}},
            {
                "requests": {"cpu": "100m", "memory": "64Mi"},
                "limits": {"memory": "1Gi", "ephemeral-storage": "1Gi"},
            },
        ),
    ],
)
def test_default_resources_never_contradict_the_author_s(given_resources, got):
    pod = deployment(make(resources=given_resources))["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"] == got


@pytest.mark.parametrize(
    ("owner", "drifted", "then"),
    [
        (None, False, Action.CREATE),
        (Owner.THIS, False, Action.KEEP),
        (Owner.THIS, True, Action.REPAIR),
        (Owner.PREDECESSOR, True, Action.WAIT),
        (Owner.ANOTHER, True, Action.REPORT),
        (Owner.ANOTHER, False, Action.REPORT),
    ],
)
def test_only_this_function_s_own_children_are_written(owner, drifted, then):
    assert action(owner, drifted=drifted) is then
