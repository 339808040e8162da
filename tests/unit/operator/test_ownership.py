"""Whose an object is, who writes its replicas, and which revisions may go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitrary.functions import make
from wick_operator.function.decisions.history import surplus
from wick_operator.observed import managed_fields
from wick_operator.observed.managed_fields import Owner
from wick_operator.observed.snapshot import KeptRevision


def child(**owner):
    return {"metadata": {"ownerReferences": [{"controller": True, **owner}] if owner else []}}


@pytest.mark.parametrize(
    ("child", "whose"),
    [
        (child(uid="u-1"), Owner.THIS),
        (child(uid="u-0", apiVersion="kubewick.dev/v1alpha1", kind="Function", name="hello"), Owner.PREDECESSOR),
        (child(uid="u-0", apiVersion="kubewick.dev/v1alpha1", kind="Function", name="other"), Owner.ANOTHER),
        (child(uid="u-9", apiVersion="apps/v1", kind="Deployment", name="hello"), Owner.ANOTHER),
        (child(), Owner.ANOTHER),
        ({"metadata": {"ownerReferences": [{"uid": "u-1", "controller": False}]}}, Owner.ANOTHER),
    ],
)
def test_an_object_belongs_to_whom_its_controller_is(child, whose):
    assert managed_fields.owner(make(), child) is whose


@pytest.mark.parametrize(
    ("managers", "ours", "others"),
    [
        ([], False, ""),
        (["kubewick-operator"], True, ""),
        (["kubewick-operator", "kubewick-autoscaler"], False, ""),
        (["kubewick-router"], False, ""),
        (["kubectl"], False, "kubectl"),
        (["kubewick-operator", "kube-controller-manager"], False, "kube-controller-manager"),
    ],
)
def test_replicas_belong_to_their_field_managers(managers, ours, others):
    assert managed_fields.replicas_are_ours(managers) is ours
    assert managed_fields.replicas_set_by_others(managers) == others


kept = st.builds(KeptRevision, st.text("abc", max_size=3), st.text(), st.text(), st.text("0123456789", max_size=3))


@given(st.lists(kept), st.sets(st.text("abc", max_size=3)), st.integers(0, 5))
def test_what_is_used_is_kept_and_of_the_rest_the_newest(everything, used, limit):
    gone = surplus(everything, used, limit)
    rest = [each for each in everything if each.revision not in used]
    assert not any(each.revision in used for each in gone)
    assert len(gone) == max(0, len(rest) - limit)
    left = sorted(each.created for each in rest)[len(gone) :]
    assert all(each.created <= newest for each in gone for newest in left[:1])
