import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_api.function import SpecInvalid, parse
from wick_api.names import Key
from wick_cli.local.decisions.environment import Unrunnable, environment, secret_data

MAPS = {Key("default", "settings"): {"data": {"COLOUR": "red", "size": "9"}}}
SECRETS = {Key("default", "keys"): {"stringData": {"TOKEN": "s3cret"}}}


def function(**spec):
    return parse(
        {
            "apiVersion": "kubewick.dev/v1alpha1",
            "kind": "Function",
            "metadata": {"name": "f", "labels": {"team": "blue"}},
            "spec": {"source": {"inline": {"main.py": ""}}, **spec},
        }
    )


def env(*entries, env_from=()):
    return environment(function(env=list(entries), envFrom=list(env_from)), MAPS, SECRETS)


def test_values_come_from_configmaps_secrets_and_fields():
    assert env(
        {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "size"}}},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "TOKEN"}}},
        {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['team']"}}},
        {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
    ) == {"A": "9", "B": "s3cret", "C": "blue", "D": "default"}


def test_env_wins_over_env_from_and_prefixes_count():
    found = env(
        {"name": "COLOUR", "value": "blue"},
        env_from=[{"configMapRef": {"name": "settings"}}, {"prefix": "K_", "secretRef": {"name": "keys"}}],
    )
    assert found == {"COLOUR": "blue", "size": "9", "K_TOKEN": "s3cret"}


def test_references_to_earlier_variables_are_expanded_and_escapes_kept():
    found = env({"name": "A", "value": "x"}, {"name": "B", "value": "$(A)-$$(A)-$(NO)"})
    assert found["B"] == "x-$(A)-$(NO)"


def test_what_is_optional_may_be_missing():
    entry = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "no", "key": "k", "optional": True}}}
    assert env(entry, env_from=[{"configMapRef": {"name": "no", "optional": True}}]) == {}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"configMapKeyRef": {"name": "no", "key": "k"}}, "spec.env[0]: ConfigMap 'no' is in none"),
        ({"secretKeyRef": {"name": "keys", "key": "k"}}, "spec.env[0]: Secret 'keys' has no key 'k'"),
        ({"fieldRef": {"fieldPath": "status.moon"}}, "spec.env[0]: the local platform knows no field 'status.moon'"),
        ({"resourceFieldRef": {}}, "spec.env[0]: the local platform cannot resolve resourceFieldRef"),
    ],
)
def test_what_cannot_be_had_is_named(entry, words):
    with pytest.raises(Unrunnable) as refused:
        env({"name": "A", "valueFrom": entry})
    assert words in refused.value.message


def test_secrets_are_decoded_and_string_data_wins():
    encoded = {key: base64.b64encode(b"old").decode() for key in "ab"}
    assert secret_data({"data": encoded, "stringData": {"b": "new"}}) == {"a": "old", "b": "new"}


def test_a_secret_that_is_not_base64_is_refused():
    with pytest.raises(Unrunnable, match=r"data\.a is not base64"):
        secret_data({"data": {"a": "%%"}})


def test_a_secret_that_is_broken_harms_only_who_names_it():
    secrets = SECRETS | {Key("default", "broken"): {"data": {"a": "%%"}}}
    assert environment(function(envFrom=[{"secretRef": {"name": "keys"}}]), MAPS, secrets) == {"TOKEN": "s3cret"}
    with pytest.raises(Unrunnable):
        environment(function(envFrom=[{"secretRef": {"name": "broken"}}]), MAPS, secrets)


WORDS = st.sampled_from(["name", "key", "optional", "configMapKeyRef", "secretKeyRef", "fieldRef", "fieldPath", "keys"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS, lambda below: st.lists(below) | st.dictionaries(WORDS, below)
)


@given(JSON, JSON)
def test_whatever_is_written_is_resolved_or_refused_in_words(value_from, reference):
    entry = {"name": "A", "valueFrom": value_from}
    with contextlib.suppress(SpecInvalid, Unrunnable):
        env(entry, env_from=[{"secretRef": reference}, {"configMapRef": reference}])
