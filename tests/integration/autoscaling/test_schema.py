"""What the API server refuses in `spec.scale`, `wick_api` refuses too, and the defaults are the same."""

import json
import re

import msgspec
import pytest

from cluster.kubectl import Refused, kubectl
from wick_api.function import SpecInvalid, parse

PROMETHEUS = {"type": "prometheus", "query": "up", "target": 1}
DRY = ("apply", "--dry-run=server", "-o", "json", "-f", "-")
NIGHT = {"start": "0 22 * * 1-5", "duration": "8h", "min": 0}


def manifest(scale):
    return {
        "apiVersion": "kubewick.dev/v1alpha1",
        "kind": "Function",
        "metadata": {"name": "scaled"},
        "spec": {"image": "x", "scale": scale},
    }


@pytest.fixture
def apply(kubeconfig):
    """Ask the API server what it would store, without storing anything; `Refused` otherwise."""

    def ask(body):
        return json.loads(kubectl(kubeconfig, *DRY, stdin=json.dumps(body)))

    return ask


@pytest.mark.parametrize(
    ("scale", "field"),
    [
        ({"min": 3, "max": 2}, "scale.max"),
        ({"min": -1}, "scale.min"),
        ({"initial": 11}, "scale.initial"),
        ({"activation": 11}, "scale.activation"),
        ({"activation": 0}, "scale.activation"),
        ({"metric": "prometheus"}, "scale.metric"),
        ({"target": 0}, "scale.target"),
        ({"utilization": 101}, "scale.utilization"),
        ({"window": "500ms"}, "scale.window"),
        ({"window": "61m"}, "scale.window"),
        ({"window": "soon"}, "scale.window"),
        ({"average": "median"}, "scale.average"),
        ({"panic": {"window": 0.5}}, "scale.panic.window"),
        ({"panic": {"threshold": 100}}, "scale.panic.threshold"),
        ({"upRate": 1}, "scale.upRate"),
        ({"downRate": 0.5}, "scale.downRate"),
        ({"downDelay": "2h"}, "scale.downDelay"),
        ({"idle": "169h"}, "scale.idle"),
        ({"metrics": [{"type": "prometheus", "target": 1}]}, "scale.metrics"),
        ({"metrics": [{"type": "prometheus", "query": "up"}]}, "scale.metrics"),
        ({"metrics": [{"type": "rps", "query": "up"}]}, "scale.metrics"),
        ({"metrics": [PROMETHEUS | {"server": "ftp://x"}]}, "scale.metrics"),
        ({"metrics": [PROMETHEUS | {"activationThreshold": -1}]}, "activationThreshold"),
        ({"metrics": [{}] * 9}, "scale.metrics"),
        ({"schedules": [NIGHT | {"start": "60 * * * *"}]}, "start"),
        ({"schedules": [NIGHT | {"start": "@daily"}]}, "start"),
        ({"schedules": [NIGHT | {"duration": "25h"}]}, "duration"),
        ({"schedules": [NIGHT | {"duration": "0s"}]}, "duration"),
        ({"schedules": [NIGHT | {"min": 11}]}, "scale.schedules"),
        ({"schedules": [NIGHT | {"timeZone": "not a zone"}]}, "timeZone"),
        ({"schedules": [NIGHT | {"timeZone": "Mars/Olympus"}]}, "timeZone"),
        ({"schedules": [NIGHT | {"timeZone": "Europe"}]}, "timeZone"),
        ({"schedules": [{"start": "* * * * *", "min": 1}]}, "duration"),
        ({"schedules": [NIGHT] * 17}, "scale.schedules"),
        ({"prediction": {"season": "year"}}, "season"),
        ({"prediction": {"ahead": "2h"}}, "ahead"),
    ],
)
def test_both_refuse_and_name_the_field(apply, scale, field):
    with pytest.raises(Refused, match=re.escape(field)):
        apply(manifest(scale))
    with pytest.raises(SpecInvalid) as refused:
        parse(manifest(scale))
    assert field in str(refused.value)


@pytest.mark.parametrize(
    "scale",
    [
        {},
        {"metrics": [PROMETHEUS | {"server": "https://prometheus.example:9090/base", "secret": "login"}, {}]},
        {"schedules": [NIGHT, NIGHT | {"start": "*/15 8-18/2,20 1,15 * 1-5", "timeZone": "America/Argentina/Ushuaia"}]},
        {"panic": {"threshold": 150}, "prediction": {"enabled": True}},
        {"window": "1h", "downDelay": "1h", "idle": "168h", "average": "exponential"},
    ],
)
def test_both_accept_and_default_alike(apply, scale):
    stored = apply(manifest(scale))
    assert parse(stored).spec.scale == parse(manifest(scale)).spec.scale
    assert set(stored["spec"]["scale"]) >= {"activation", "average", "downDelay", "downRate", "idle", "panic", "upRate"}
    assert msgspec.to_builtins(parse(stored).spec.scale.panic) == {"window": 10.0} | {
        "threshold": scale.get("panic", {}).get("threshold", 200.0)
    }
