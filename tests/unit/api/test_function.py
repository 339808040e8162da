"""A Function is read once, defaults filled in, and refused by the name of the field that is wrong."""

import pytest

from wick_api.function import SpecInvalid, parse
from wick_api.names import Key


def manifest(name="hello", **spec):
    return {
        "apiVersion": "kubewick.dev/v1alpha1",
        "kind": "Function",
        "metadata": {"name": name},
        "spec": {"source": {"inline": {"main.py": "def handle(): return 'hi'"}}, **spec},
    }


def test_defaults_are_filled_in():
    function = parse(manifest())
    assert function.key == Key("default", "hello")
    assert (function.spec.handler, function.spec.timeout, function.spec.scale.max) == ("main:handle", 60, 10)


def test_durations_are_read_as_seconds():
    assert parse(manifest(timeout="1m30s")).spec.timeout == 90


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"scale": {"min": 3, "max": 2}}, "spec.scale.max"),
        ({"scale": {"min": -1}}, "spec.scale.min"),
        ({"image": "nginx"}, "spec: set exactly one"),
        ({"source": {}}, "spec.source"),
        ({"handler": "main"}, "spec.handler"),
        ({"env": [{"name": "PORT", "value": "1"}]}, "PORT is reserved"),
        ({"env": [{"name": "KUBEWICK_X", "value": "1"}]}, "KUBEWICK_X is reserved"),
        ({"timeout": "5 parsecs"}, "spec.timeout"),
        ({"concurrency": "many"}, "spec.concurrency"),
        ({"source": {"inline": {"../main.py": ""}}}, "spec.source.inline"),
    ],
)
def test_a_wrong_field_is_named(spec, field):
    with pytest.raises(SpecInvalid) as refused:
        parse(manifest(**spec))
    assert field in str(refused.value)


@pytest.mark.parametrize("name", ["kubewick-pool-python", "kubewick-dormant-x"])
def test_the_warm_pools_names_are_reserved(name):
    with pytest.raises(SpecInvalid, match=r"metadata\.name.*reserved"):
        parse(manifest(name))


@pytest.mark.parametrize("name", ["Hello", "1st", "a_b", "a" * 53, "-a"])
def test_a_name_the_children_could_not_carry_is_refused(name):
    with pytest.raises(SpecInvalid, match=r"metadata\.name"):
        parse(manifest(name))
