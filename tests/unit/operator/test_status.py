"""The status tells what was seen: a table of situations, and what holds in all of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from arbitrary.functions import make
from wick_api.diagnosis import Trouble
from wick_api.reason import Condition, Reason
from wick_api.routing import RouteLost
from wick_operator.function.decisions import status as judge
from wick_operator.function.decisions.status import ObservedState, PodSummary, ReconcileProblem
from wick_operator.observed.snapshot import KeptRevision

NEW, OLD = "aaaaaaaaaa", "bbbbbbbbbb"
REST = ObservedState(wanted=NEW, service=True)
NOT_LOADED = Trouble(Reason.LOAD_FAILED, "main.py line 3: oh; correct the source.", NEW)
EVICTED = Trouble(Reason.EVICTED, "The node evicted an instance: full.", NEW)
NO_NODE = Trouble(Reason.UNSCHEDULABLE, "No node fits.", NEW)


def pods(*what):
    """``new``/``old``, with ``+`` where ready."""
    return [PodSummary(NEW if each.startswith("new") else OLD, each.endswith("+")) for each in what]


def seen(*what, replicas=None, **more):
    ready = sum(each.endswith("+") for each in what)
    count = len(what) if replicas is None else replicas
    return structs.replace(
        REST, pods=pods(*what), replicas_wanted=count, replicas=len(what), ready_replicas=ready, **more
    )


def judged(observed, function=None, now="2026-01-01T00:00:00Z"):
    return judge.status(function or make(), observed, "http://hello.default", now)


def condition(status, kind):
    return next(each for each in status["conditions"] if each["type"] == kind)


def with_status(status):
    return structs.replace(make(), status=status)


def test_a_function_that_must_always_run_is_not_ready_at_zero_unless_a_person_wants_it_so():
    always = make(scale={"min": 1})
    assert condition(judged(REST, always), "Ready")["reason"] == "Starting"
    by_hand = structs.replace(REST, set_by_others="kubectl")
    assert condition(judged(by_hand, always), "Ready")["reason"] == "Idle"


@pytest.mark.parametrize(
    ("observed", "ready", "reason", "why"),
    [
        (REST, "True", "Idle", "the next request starts"),
        (seen("new+"), "True", "Ready", f"Revision {NEW} serves."),
        (seen("new"), "Unknown", "Starting", "starting"),
        (seen("new", "old+"), "Unknown", "RollingOut", f"{OLD} serves until"),
        (seen("new+", "old+"), "True", "Ready", f"Revision {NEW} serves."),
        (seen("new", troubles=[NOT_LOADED]), "False", "LoadFailed", "main.py line 3"),
        (seen("new", "old+", troubles=[NOT_LOADED]), "False", "LoadFailed", f"{OLD} goes on serving."),
        (seen("new+", "new", troubles=[NO_NODE]), "True", "Ready", "not with all instances asked for. No node fits."),
        (seen(replicas=1, troubles=[NO_NODE]), "False", "Unschedulable", "No node fits."),
        (seen("new", "old", troubles=[structs.replace(NOT_LOADED, revision=OLD)]), "False", "LoadFailed", "main.py"),
        (
            structs.replace(REST, source=ReconcileProblem(Reason.SOURCE_NOT_FOUND, "No x.")),
            "False",
            "SourceNotFound",
            "No x.",
        ),
        (
            structs.replace(seen("old+"), wanted="", source=ReconcileProblem(Reason.INVALID_SPEC, "spec.x: bad.")),
            "False",
            "InvalidSpec",
            f"spec.x: bad. Revision {OLD} goes on serving.",
        ),
        (structs.replace(REST, blocked=ReconcileProblem(Reason.NOT_OWNED, "Taken.")), "False", "NotOwned", "Taken."),
        (
            structs.replace(
                REST, lost=[RouteLost(Reason.ROUTE_CONFLICT, "Route / belongs to the older Function x/y.")]
            ),
            "False",
            "RouteConflict",
            "older Function x/y",
        ),
        (
            structs.replace(REST, source=ReconcileProblem(Reason.CONFIG_MISSING, "No s.")),
            "False",
            "ConfigMissing",
            "No s.",
        ),
    ],
)
def test_each_situation_is_told_as_it_is(observed, ready, reason, why):
    status = judged(observed)
    is_ready = condition(status, "Ready")
    assert (is_ready["status"], is_ready["reason"]) == (ready, reason)
    assert why in status["why"]


def test_the_old_revision_is_named_as_the_one_that_serves():
    status = judged(seen("new", "old+"))
    assert (status["revision"], status["wantedRevision"]) == (OLD, NEW)


def test_what_kept_a_revision_from_serving_is_still_told_at_rest():
    failed = judged(seen("new", troubles=[NOT_LOADED]))
    at_rest = judged(REST, with_status(failed))
    assert at_rest["why"] == failed["why"]
    assert condition(at_rest, "Ready")["status"] == "False"


def test_what_the_cluster_lacked_is_forgotten_at_rest():
    failed = judged(seen(replicas=1, troubles=[NO_NODE]))
    assert condition(judged(REST, with_status(failed)), "Ready")["reason"] == "Idle"


@pytest.mark.parametrize("change", [{"wanted": "cccccccccc"}, {"config_checksum": "x"}])
def test_a_change_of_what_runs_forgets_the_old_failure(change):
    failed = judged(seen("new", troubles=[NOT_LOADED]))
    assert condition(judged(structs.replace(REST, **change), with_status(failed)), "Ready")["reason"] == "Idle"


def test_a_function_that_has_served_stays_ready_while_its_next_instance_starts():
    for before in (judged(REST), judged(seen("new+"))):
        assert condition(judged(seen("new"), with_status(before)), "Ready")["status"] == "True"


def test_a_condition_s_time_is_that_of_its_last_change():
    first = judged(REST, now="2026-01-01T00:00:00Z")
    same = judged(REST, with_status(first), now="2026-02-02T00:00:00Z")
    other = judged(seen("new", troubles=[NOT_LOADED]), with_status(first), now="2026-02-02T00:00:00Z")
    assert condition(same, "Ready")["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert condition(other, "Ready")["lastTransitionTime"] == "2026-02-02T00:00:00Z"
    assert condition(other, "SourceResolved")["lastTransitionTime"] == "2026-01-01T00:00:00Z"


def test_replicas_set_by_somebody_else_are_named():
    scaled = condition(judged(structs.replace(REST, set_by_others="kubectl")), "Scaled")
    assert (scaled["reason"], "kubectl" in scaled["message"]) == ("ScaledByOthers", True)


def test_replicas_set_by_somebody_else_are_told_in_why_too():
    assert "set by kubectl" in judged(structs.replace(REST, set_by_others="kubectl"))["why"]
    assert "set by kubectl" in judged(seen("new+", set_by_others="kubectl"))["why"]


def test_an_eviction_of_late_is_told_while_it_serves_again_and_at_rest_and_once():
    for observed in (seen("new+"), REST, seen("new+", replicas=2, troubles=[EVICTED])):
        status = judged(structs.replace(observed, evicted=EVICTED))
        assert condition(status, "Ready")["status"] == "True"
        assert status["why"].count("evicted an instance") == 1


def test_resources_that_cannot_be_had_are_told_though_it_serves():
    short = Trouble(Reason.UNSCHEDULABLE, "The node has no 50 CPUs.", NEW)
    status = judged(seen("new+", short=short))
    assert condition(status, "Ready")["status"] == "True"
    assert (condition(status, "Scaled")["status"], condition(status, "Scaled")["reason"]) == ("False", "Unschedulable")
    assert status["why"] == "It serves, but not with the resources asked for. The node has no 50 CPUs."


def test_where_nothing_serves_after_an_eviction_that_is_why():
    status = judged(seen("new", troubles=[EVICTED], evicted=EVICTED))
    assert condition(status, "Ready")["reason"] == "Evicted"


messages = st.text(min_size=1, max_size=20)
problems = st.none() | st.builds(ReconcileProblem, st.sampled_from(Reason), messages)
revisions = st.sampled_from(["", NEW, OLD])
diagnosed = st.sampled_from([Reason.LOAD_FAILED, Reason.UNSCHEDULABLE, Reason.QUOTA, Reason.CRASH_LOOP])
observations = st.builds(
    ObservedState,
    wanted=revisions,
    source=problems,
    blocked=problems,
    replicas_wanted=st.integers(0, 3),
    replicas=st.integers(0, 3),
    ready_replicas=st.integers(0, 3),
    set_by_others=st.sampled_from(["", "kubectl"]),
    pods=st.lists(st.builds(PodSummary, revisions, st.booleans()), max_size=4),
    troubles=st.lists(st.builds(Trouble, diagnosed, messages, revisions), max_size=3),
    service=st.booleans(),
    kept=st.lists(st.builds(KeptRevision, revisions, messages, messages, st.just("2026-01-01T00:00:00Z")), max_size=2),
)


@given(st.lists(observations, max_size=3), observations)
def test_the_same_observation_twice_writes_nothing_the_second_time(history, last):
    status = {}
    for observed in [*history, last]:
        status = judged(observed, with_status(status))
    assert judged(last, with_status(status), now="2030-01-01T00:00:00Z") == status


@given(st.lists(observations, max_size=3), observations)
def test_a_status_is_always_whole_and_its_why_says_something(history, last):
    status = {}
    for observed in [*history, last]:
        status = judged(observed, with_status(status))
    assert [each["type"] for each in status["conditions"]] == list(Condition)
    assert status["why"]
    assert all(each["message"] and each["status"] in {"True", "False", "Unknown"} for each in status["conditions"])


@given(observations)
def test_ready_means_that_the_wanted_revision_answers_or_would(observed):
    ready = condition(judged(observed), "Ready")
    serves = any(pod.ready and pod.revision == observed.wanted for pod in observed.pods)
    at_rest = observed.replicas_wanted == 0 and not observed.pods and observed.wanted != ""
    if ready["status"] == "True":
        assert serves or at_rest
        assert observed.source is observed.blocked is None


@given(observations)
def test_the_serving_revision_is_one_that_serves_whenever_any_does(observed):
    ready = {pod.revision for pod in observed.pods if pod.ready}
    assert not ready or judged(observed).get("revision", "") in ready


@given(observations, st.randoms(use_true_random=False))
def test_the_order_of_pods_and_troubles_does_not_matter(observed, dice):
    mixed = structs.replace(
        observed,
        pods=dice.sample(observed.pods, len(observed.pods)),
        troubles=dice.sample(observed.troubles, len(observed.troubles)),
    )
    assert judged(mixed) == judged(observed)


@pytest.mark.parametrize("before", [REST, seen("new+")])
def test_a_function_whose_import_does_not_end_is_not_ready_meanwhile(before):
    was = with_status(judged(before))
    quick, slow = (
        structs.replace(seen("new"), pods=[PodSummary(NEW, ready=False, unready_for=seconds)])
        for seconds in (9.0, 11.0)
    )
    assert condition(judged(quick, was), "Ready")["status"] == "True"
    status = judged(slow, was)
    ready = condition(status, "Ready")
    assert (ready["status"], ready["reason"]) == ("Unknown", "Starting")
    assert "more than 10 s" in status["why"]
    again = with_status(status)
    assert condition(judged(slow, again), "Ready")["status"] == "Unknown"
    assert condition(judged(seen("new+"), again), "Ready")["status"] == "True"


def test_slow_starts_of_further_instances_and_of_old_revisions_do_not_count():
    was = with_status(judged(seen("new+")))
    more = structs.replace(seen("new+", "new"), pods=[*pods("new+"), PodSummary(NEW, ready=False, unready_for=99.0)])
    assert condition(judged(more, was), "Ready")["status"] == "True"
    old = structs.replace(seen("old"), pods=[PodSummary(OLD, ready=False, unready_for=99.0)])
    assert condition(judged(old, was), "Ready")["status"] == "True"
