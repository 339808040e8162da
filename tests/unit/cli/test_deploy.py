import datetime as dt

import pytest

from wick_api.reason import Reason
from wick_cli.command.deploy import HOPELESS, progress
from wick_cli.command.describe import as_text
from wick_cli.command.list import as_table
from wick_cli.output import age

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


def shown(status="True", reason="Ready", *, observed=2, **more):
    condition = {"type": "Ready", "status": status, "reason": reason, "message": "m"}
    return {
        "metadata": {"name": "f", "namespace": "n", "generation": 2, "creationTimestamp": "2026-11-21T10:00:00Z"},
        "status": {"observedGeneration": observed, "conditions": [condition], "why": "because"} | more,
    }


def test_a_status_about_an_older_spec_says_nothing_yet():
    assert progress(shown(observed=1)).text == "waiting for the operator"
    assert progress({"metadata": {"generation": 1}}).text == "waiting for the operator"


def test_ready_is_ready():
    assert progress(shown()).ready


@pytest.mark.parametrize("reason", Reason)
def test_waiting_ends_early_only_where_nothing_but_an_edit_helps(reason):
    state = progress(shown("False", reason.value))
    assert not state.ready
    assert state.hopeless == (reason in HOPELESS)
    assert state.text == "because"


def test_the_list_is_sorted_and_says_why_and_who_may_call():
    other = shown()
    other["metadata"] = other["metadata"] | {"name": "a"}
    other["spec"] = {"visibility": "public"}
    lines = as_table([shown(replicas=2, readyReplicas=1), other], NOW, namespaces=True).splitlines()
    assert lines[0].split() == ["NAMESPACE", "NAME", "READY", "INSTANCES", "VISIBILITY", "AGE", "WHY"]
    assert [line.split() for line in lines[1:]] == [
        ["n", "a", "True", "0/0", "public", "2h", "because"],
        ["n", "f", "True", "1/2", "cluster", "2h", "because"],
    ]


def test_a_description_leaves_out_what_is_not_known():
    text = "\n".join(as_text(shown(), [], NOW))
    assert "Last cold start" not in text
    assert "INSTANCE " not in text
    assert "because" in text


def test_a_description_says_how_the_newest_instance_that_tells_makes_its_handler_processes():
    instances = [{"id": "a", "forking": "older"}, {"id": "b", "forking": "forked"}, {"id": "c"}]
    assert "Handlers:" in (text := "\n".join(as_text(shown(), instances, NOW)))
    assert "forked" in text
    assert "older" not in text


@pytest.mark.parametrize(("spec", "words"), [({}, "cluster"), ({"visibility": "public"}, "public")])
def test_a_description_says_who_may_call(spec, words):
    assert any(line.split()[:2] == ["Visibility:", f"{words}:"] for line in as_text(shown() | {"spec": spec}, [], NOW))


@pytest.mark.parametrize(
    ("since", "words"),
    [(None, ""), ("2026-11-21T11:59:30Z", "30s"), ("2026-11-20T11:00:00Z", "1d"), ("2026-11-21T12:00:01Z", "0s")],
)
def test_ages_have_one_unit(since, words):
    assert age(since, NOW) == words
