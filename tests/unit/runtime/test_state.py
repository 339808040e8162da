"""What an instance tells of itself in each of its states."""

import pytest

from wick_runtime.instance.decisions.state import InstanceState, readiness, refusal, taken

FAILURE = {"reason": "SyntaxError", "message": "invalid syntax", "file": "main.py", "line": 3}


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (InstanceState.POOL, 200),
        (InstanceState.READY, 200),
        (InstanceState.LOADING, 503),
        (InstanceState.FAILED, 503),
        (InstanceState.DRAINING, 503),
    ],
)
def test_a_pod_is_ready_in_the_pool_and_with_its_function_and_not_between(state, status):
    code, told = readiness(state, FAILURE, 8080, "", blocked=False)
    assert (code, told["state"]) == (status, state)


def test_a_ready_instance_tells_its_port_and_a_pools_what_it_waits_for():
    assert readiness(InstanceState.READY, {}, 8080, "", blocked=False)[1]["port"] == 8080
    assert "POST /specialize" in readiness(InstanceState.POOL, {}, 0, "", blocked=False)[1]["message"]


def test_only_a_failed_instance_tells_the_failure_and_where_it_is():
    assert FAILURE.items() <= readiness(InstanceState.FAILED, FAILURE, 0, "", blocked=False)[1].items()
    assert readiness(InstanceState.LOADING, FAILURE, 0, "", blocked=False)[1]["file"] == ""
    told = refusal(FAILURE)
    assert (told.status, told.refused, told.message) == (503, "failed", "main.py:3: invalid syntax")
    assert refusal({"message": "no handler"}).message == "no handler"


def test_an_order_that_comes_too_late_is_a_conflict():
    assert taken(InstanceState.READY)[0] == 409
