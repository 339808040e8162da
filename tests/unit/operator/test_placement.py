"""Nodes take a function's own pods only while no warm pod stands in for them."""

import pytest
from hypothesis import given

from arbitrary.functions import functions, make
from wick_api import names, warm
from wick_api.revision import Revision
from wick_operator.config import OperatorConfig
from wick_operator.function.decisions.desired.template import render

FROM_SECRET = {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}
WARM = {"metadata": {"resourceVersion": "1"}}


def held_back_by(function, config):
    """The labels of pods beside which none of the function's own may be."""
    spec = render(function, config, {}, "0123456789")["spec"]
    terms = (
        spec.get("affinity", {}).get("podAntiAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution", [])
    )
    return [term["labelSelector"]["matchLabels"] for term in terms]


@pytest.mark.parametrize(
    ("spec", "pools", "held_back"),
    [
        ({}, '{"python": {}}', True),
        ({"resources": {"limits": {"memory": "256Mi"}}}, '{"python": {}}', True),
        ({"resources": {"limits": {"memory": "257Mi"}}}, '{"python": {}}', False),
        (FROM_SECRET, '{"python": {}}', False),
        ({"nodeSelector": {"a": "b"}}, '{"python": {}}', False),
        ({"image": "x"}, '{"python": {}}', False),
        ({}, '{"python": {"max": 0, "min": 0}}', False),
        ({}, '{"other": {}}', False),
    ],
)
def test_only_functions_that_start_in_warm_pods_wait_for_one(spec, pools, held_back):
    assert bool(held_back_by(make(**spec), OperatorConfig(pool_key="k", pools=pools))) == held_back
    assert not held_back_by(make(**spec), OperatorConfig(pools=pools)), "there are no pools without a key"
    assert not held_back_by(make(**spec), OperatorConfig(pool_key="k", pools=pools, anti_affinity=False))


@given(functions)
def test_what_a_claim_writes_holds_back_this_functions_pods_and_no_others(function):
    claim = warm.claim(WARM, function, Revision("0123456789", {}, render(function, OperatorConfig(), {}, "0123456789")))
    labels = claim["metadata"]["labels"]
    for selector in held_back_by(function, OperatorConfig(pool_key="k")):
        assert selector.items() <= labels.items()
        assert selector == {names.STANDS_IN_FOR: function.key.name}
        assert not selector.items() & warm.useless(claim)["metadata"]["labels"].items()
