"""What a warm pod is resized to, and in which order; pure."""

from hypothesis import given
from hypothesis import strategies as st

from wick_api import diagnosis, quantity, warm
from wick_api.reason import Reason

POOL = {"requests": {"cpu": "10m", "memory": "48Mi"}, "limits": {"memory": "256Mi"}}
amounts = st.sampled_from(["5m", "10m", "1", "50"])
sizes = st.sampled_from(["16Mi", "48Mi", "64Mi", "256Mi"])
wanted = st.fixed_dictionaries(
    {
        "requests": st.fixed_dictionaries({"cpu": amounts}, optional={"memory": sizes}),
        "limits": st.fixed_dictionaries({"memory": sizes}, optional={"cpu": amounts}),
    }
)


def pod(resources=POOL, actual=None, conditions=()):
    statuses = [{"name": "function", "resources": actual}] if actual else []
    metadata = {"name": "p", "labels": {}}
    spec = {"containers": [{"name": "function", "resources": resources}]}
    return {
        "metadata": metadata,
        "spec": spec,
        "status": {"containerStatuses": statuses, "conditions": list(conditions)},
    }


@given(wanted)
def test_limits_alone_are_the_functions_own_and_ask_a_node_for_no_more(resources):
    change = warm.resize_limits(resources, pod())
    if change is None:
        return
    first = change[0]["value"]
    assert first["limits"] == resources["limits"]
    for name, amount in first["requests"].items():
        assert quantity.parse(amount) <= quantity.parse(POOL["requests"][name])
        if name in first["limits"]:
            assert quantity.parse(amount) <= quantity.parse(first["limits"][name])


def test_what_grows_is_what_a_node_must_set_aside():
    assert warm.grows({"requests": {"cpu": "50"}, "limits": {"memory": "64Mi"}}, pod())
    assert not warm.grows({"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}, pod())
    assert warm.grows({"requests": {"cpu": "10m"}, "limits": {"memory": "64Mi"}}, pod()), "it requests its limit"


def test_a_pod_that_has_what_it_shall_have_is_left_alone_though_the_api_server_filled_in_a_request():
    resources = {"requests": {"cpu": "10m"}, "limits": {"memory": "64Mi"}}
    filled = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}}
    assert warm.resize(resources, pod(filled)) is None
    assert warm.resize(resources, pod()) is not None


def test_limits_hold_once_the_kubelet_says_so_or_where_it_says_nothing():
    assert warm.limits_hold(pod())
    assert not warm.limits_hold(pod({"limits": {"memory": "64Mi"}}, {"limits": {"memory": "256Mi"}}))
    assert warm.limits_hold(pod({"limits": {"memory": "64Mi"}}, {"limits": {"memory": "65536Ki"}}))


def test_what_a_kubelet_or_the_api_server_does_not_give_is_told_in_their_words():
    pending = {"type": "PodResizePending", "status": "True", "reason": "Deferred", "message": "no room: cpu"}
    failed = {"type": "PodResizeInProgress", "status": "True", "reason": "Error", "message": "uses more than 64Mi"}
    assert diagnosis.unresized(pod()) is None
    assert diagnosis.unresized(pod(conditions=[{**failed, "reason": ""}])) is None
    assert diagnosis.unresized(pod(conditions=[pending])).reason is Reason.UNSCHEDULABLE
    assert "no room: cpu" in diagnosis.unresized(pod(conditions=[pending])).message
    assert "uses more than 64Mi" in diagnosis.unresized(pod(conditions=[failed])).message
    assert diagnosis.refused_resize("exceeded quota: q").reason is Reason.QUOTA
