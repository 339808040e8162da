"""Evictions of late are told, with how many there were; older ones and other ends are not."""

import pytest

from wick_api.reason import Reason
from wick_operator.function.decisions.evictions import recent

SINCE = "2026-01-01T00:50:00Z"
TEXT = "Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. "


def evicted(minute, *, text=TEXT, reason="Evicted", revision="r1", where="terminated"):
    moment = f"2026-01-01T00:{minute}:00Z"
    ends = {"state": {"terminated": {"finishedAt": moment}}} if where == "terminated" else {}
    conditions = [] if ends else [{"type": "DisruptionTarget", "lastTransitionTime": moment}]
    return {
        "metadata": {"name": f"p{minute}", "labels": {"kubewick.dev/revision": revision}},
        "status": {
            "phase": "Failed",
            "reason": reason,
            "message": text,
            "conditions": conditions,
            "containerStatuses": [{"name": "function", **ends}],
        },
    }


@pytest.mark.parametrize("where", ["terminated", "condition"])
def test_the_latest_is_told_and_how_many_there_were(where):
    pods = [evicted(minute, text=f"{TEXT}({minute})", where=where) for minute in (55, 58, 51, 49)]
    found = recent(pods, "r1", SINCE)
    assert found.reason is Reason.EVICTED
    assert "(58)" in found.message
    assert "3 times in 10 minutes" in found.message


@pytest.mark.parametrize("pod", [evicted(49), evicted(58, revision="r0"), evicted(58, reason="Shutdown")])
def test_what_is_past_or_another_revisions_or_no_eviction_is_not_told(pod):
    assert recent([pod], "r1", SINCE) is None


def test_a_record_that_says_not_when_is_not_told():
    pod = evicted(58)
    pod["status"]["containerStatuses"] = []
    assert recent([pod], "r1", SINCE) is None
