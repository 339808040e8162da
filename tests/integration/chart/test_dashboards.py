"""The dashboards: Prometheus can parse every query, and every series is one that a part writes."""

import itertools
import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
DASHBOARDS = sorted((ROOT / "charts" / "kubewick" / "files" / "dashboards").glob("*.json"))
VARIABLES = {"$__rate_interval": "1m", "$namespace": "n", "$function": "f"}


@pytest.fixture(params=DASHBOARDS, ids=lambda path: path.stem)
def dashboard(request):
    return json.loads(request.param.read_text())


def test_prometheus_parses_every_query(promtool, dashboard, tmp_path):
    rules = [{"record": f"r{number}", "expr": plain(query)} for number, query in enumerate(queries(dashboard))]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    done = promtool("check", "rules", str(file))
    assert done.returncode == 0, done.stderr


def test_every_series_asked_for_is_written_by_a_part(written, dashboard):
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in series(dashboard)} <= written


def test_panels_lie_side_by_side_and_have_ids_of_their_own(dashboard):
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [cell for panel in panels for cell in cells(panel["gridPos"])]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24


def test_each_query_has_a_name_and_the_chosen_datasource(dashboard):
    for panel in dashboard["panels"]:
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        assert all(target["legendFormat"] for target in panel["targets"])
        assert panel["datasource"]["uid"] == "${datasource}"


def test_every_variable_a_query_uses_is_offered(dashboard):
    offered = {f"${each['name']}" for each in dashboard["templating"]["list"]} | {"$__rate_interval"}
    assert {used for query in queries(dashboard) for used in re.findall(r"\$\w+", query)} <= offered


def test_uids_are_short_enough_and_differ():
    uids = [json.loads(path.read_text())["uid"] for path in DASHBOARDS]
    assert len(set(uids)) == len(uids)
    assert all(len(uid) <= 40 for uid in uids)


def queries(dashboard):
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def series(dashboard):
    return {name for query in queries(dashboard) for name in re.findall(r"kubewick_\w+", query)}


def plain(query):
    """The query with Grafana's variables filled in."""
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    return query


def cells(position):
    columns = range(position["x"], position["x"] + position["w"])
    return itertools.product(columns, range(position["y"], position["y"] + position["h"]))
