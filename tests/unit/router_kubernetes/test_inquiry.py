"""When the router asks the API server about a pod that does not get well."""

from wick_router.kubernetes.inquiry import LONGEST_PAUSE, PATIENCE, after, plan


def pod(version="1", **state):
    return {
        "metadata": {"name": "p", "uid": "u", "resourceVersion": version},
        "spec": {"nodeName": "n", "containers": [{"name": "function"}]},
        "status": {
            "phase": "Pending",
            "conditions": [{"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [{"name": "function", "restartCount": 0, "state": state}],
        },
    }


STARTING = {"waiting": {"reason": "ContainerCreating"}}
CRASHED = {"terminated": {"exitCode": 1, "reason": "Error"}}


def test_a_pod_that_is_starting_is_left_alone_for_a_while():
    assert plan(pod(**STARTING), None, 10.0).due == 10.0 + PATIENCE


def test_a_pod_that_crashed_is_asked_at_once():
    assert plan(pod(**CRASHED), None, 10.0).due == 10.0


def test_a_pod_that_crashes_later_is_asked_at_once_too():
    before = plan(pod(**STARTING), None, 10.0)
    assert plan(pod("2", **CRASHED), before, 10.2).due == 10.2


def test_pauses_grow_and_have_an_end():
    schedule = plan(pod(**STARTING), None, 0.0)
    for _ in range(10):
        before, schedule = schedule, after(schedule, schedule.due)
        assert schedule.due - before.due == before.pause
    assert schedule.pause == LONGEST_PAUSE


def test_a_ready_pod_is_not_asked():
    ready = pod(running={})
    ready["status"]["conditions"].append({"type": "Ready", "status": "True"})
    assert plan(ready, None, 0.0) is None
