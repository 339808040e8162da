import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from wick_api.reason import Reason
from wick_cli.local.decisions.readiness import FleetFailure, LocalObservation, readiness

REST = LocalObservation(state="idle", why="at zero", failure=None, lost=None, wanted=0, ready=0, current=0)
BROKEN = FleetFailure(Reason.LOAD_FAILED, "main.py:1: broken")


def judged(**changes):
    verdict = readiness(dataclasses.replace(REST, **changes))
    return verdict.status, verdict.reason


def test_new_code_is_not_ready_because_the_code_before_it_serves():
    assert judged(state="ready", wanted=1, ready=1, current=0) == ("Unknown", Reason.ROLLING_OUT)
    assert judged(state="ready", wanted=1, ready=2, current=1) == ("True", Reason.READY)


def test_a_failure_is_known_while_nothing_runs_and_while_old_code_serves():
    assert judged(failure=BROKEN) == ("False", Reason.LOAD_FAILED)
    assert judged(failure=BROKEN, state="ready", ready=1) == ("False", Reason.LOAD_FAILED)
    assert judged(failure=BROKEN, state="starting", wanted=1) == ("False", Reason.LOAD_FAILED)


def test_a_file_that_cannot_be_used_is_told_whatever_runs():
    for running in ({}, {"state": "ready", "ready": 1, "current": 1}, {"failure": BROKEN}):
        assert judged(unread="a.yaml:3: broken", **running) == ("False", Reason.INVALID_SPEC)


def test_an_instance_that_is_wanted_is_waited_for():
    assert judged() == ("True", Reason.IDLE)
    assert judged(wanted=1) == ("Unknown", Reason.STARTING)
    assert judged(state="starting") == ("Unknown", Reason.STARTING)


@given(
    st.builds(
        LocalObservation,
        state=st.sampled_from(["idle", "starting", "ready", "failed"]),
        why=st.just("why"),
        failure=st.none() | st.just(BROKEN),
        lost=st.none() | st.just(FleetFailure(Reason.ROUTE_CONFLICT, "taken")),
        wanted=st.integers(0, 2),
        ready=st.integers(0, 2),
        current=st.integers(0, 2),
        unread=st.just("") | st.just("a.yaml:3: broken"),
    )
)
def test_true_means_that_the_present_code_serves_or_nothing_is_wanted(seen):
    verdict = readiness(seen)
    if verdict.status == "True":
        assert seen.lost is None
        assert not seen.unread
        assert seen.current or (seen.failure is None and not seen.wanted and not seen.ready)
