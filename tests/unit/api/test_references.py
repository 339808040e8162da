"""What a Function names lies in its own namespace: no field names another, and no name becomes another path."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitrary.manifests import SPEC
from wick_api import reference
from wick_api.function import SpecInvalid, parse
from wick_kube.resource import CONFIG_MAPS, SECRETS

SUBDOMAIN = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"


def fields(schema, path=""):
    for name, each in {**schema.get("properties", {}), "": schema.get("items", {})}.items():
        if each:
            inner = f"{path}.{name}".rstrip(".")
            yield inner, each
            yield from fields(each, inner)


def test_no_field_names_a_namespace_or_an_object_of_any_kind():
    assert not [
        path for path, _ in fields(SPEC) if re.search(r"namespace$|\.kind$|apiGroup$|selfLink$", path, re.IGNORECASE)
    ]


def test_every_name_of_an_object_is_held_to_what_objects_may_be_called():
    named = {
        path: each.get("pattern")
        for path, each in fields(SPEC)
        if re.search(
            r"(Secrets|secrets|configMaps|configMap|KeyRef|Ref|ClassName|AccountName)(\.name)?$|\.secret$", path
        )
        and each["type"] == "string"
    }
    assert len(named) == 11
    assert {pattern for path, pattern in named.items() if path != ".scale.metrics.secret"} == {f"^{SUBDOMAIN}$"}
    assert named[".scale.metrics.secret"] == f"^({SUBDOMAIN})?$"


@given(st.from_regex(SUBDOMAIN, fullmatch=True).filter(lambda name: name.isascii() and len(name) <= 253))
def test_a_name_stays_one_piece_of_a_path(name):
    assert reference.legal(name)
    assert SECRETS.path("a", name) == f"/api/v1/namespaces/a/secrets/{name}"


@pytest.mark.parametrize("name", [".", "..", "../x", "a/b", "a%2fb", "/"])
def test_what_would_be_another_path_is_no_name(name):
    assert not reference.legal(name)
    with pytest.raises(ValueError, match="not the name of an object"):
        CONFIG_MAPS.path("a", name)
    with pytest.raises(ValueError, match="not the name of an object"):
        CONFIG_MAPS.path(name, "a")


@pytest.mark.parametrize("chosen", [{}, "s", {"name": 1}])
def test_a_reference_without_a_name_is_refused_by_its_field(chosen):
    manifest = {"apiVersion": "kubewick.dev/v1alpha1", "kind": "Function", "metadata": {"name": "a"}}
    variable = {"name": "A", "valueFrom": {"secretKeyRef": chosen}}
    with pytest.raises(SpecInvalid, match=r"^spec.env\[0\].valueFrom.secretKeyRef.name"):
        parse(manifest | {"spec": {"image": "i", "env": [variable]}})
