"""What the API server adds and rewrites is no drift; anything else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_operator.function.decisions.drift import differs

said = st.just(True) | st.integers(min_value=1) | st.text(min_size=1)  # noqa: FBT003 - a value of a manifest
leaves = st.none() | st.booleans() | st.integers() | st.text()
manifests = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)


@given(manifests)
def test_a_manifest_does_not_differ_from_itself(manifest):
    assert not differs(manifest, manifest)


@given(st.dictionaries(st.text(), manifests), st.dictionaries(st.text(), manifests))
def test_fields_of_others_are_no_drift(wanted, added):
    assert not differs(wanted, {**added, **wanted})


@given(st.dictionaries(st.text(), said, min_size=1), st.data())
def test_a_field_or_an_entry_that_is_gone_is_drift(wanted, data):
    lost = data.draw(st.sampled_from(sorted(wanted)))
    observed = {field: value for field, value in wanted.items() if field != lost}
    assert differs(wanted, observed)
    assert differs([wanted], [])
    assert differs({"env": [{"name": "a", **wanted}, {"name": "b"}]}, {"env": [{"name": "a", **wanted}]})


@pytest.mark.parametrize(
    ("wanted", "observed", "drifted"),
    [
        ({"resources": {"limits": {"cpu": "0.5"}}}, {"resources": {"limits": {"cpu": "500m"}}}, False),
        ({"resources": {"limits": {"cpu": 1}}}, {"resources": {"limits": {"cpu": "1"}}}, False),
        ({"resources": {"limits": {"memory": "1Gi"}}}, {"resources": {"limits": {"memory": "1024Mi"}}}, False),
        ({"resources": {"limits": {"memory": "1Gi"}}}, {"resources": {"limits": {"memory": "1G"}}}, True),
        ({"env": [{"name": "a", "value": ""}]}, {"env": [{"name": "a"}]}, False),
        ({"env": [{"name": "a", "value": "1"}]}, {"env": [{"name": "a", "value": "1.0"}]}, True),
        ({"env": [{"name": "a"}]}, {"env": [{"name": "b"}, {"name": "a"}]}, False),
        ({"env": [{"name": "a"}]}, {"env": []}, True),
        ({"command": ["x", "y"]}, {"command": ["y", "x"]}, True),
        ({"maxUnavailable": 0}, {"maxUnavailable": 1}, True),
        ({"maxUnavailable": 0}, {}, False),
        ({"labels": {"a": "1"}}, {}, True),
        ({"image": "x:1"}, {"image": "x:2"}, True),
    ],
)
def test_differences_are_told_from_the_servers_own_ways(wanted, observed, drifted):
    assert differs(wanted, observed) is drifted
