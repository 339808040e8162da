"""The dashboards and alerts, asked of a real Prometheus that scrapes the real parts at work."""

import json
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request

import pytest
import yaml

from cluster import release
from cluster.calling import load
from cluster.kubectl import kubectl
from cluster.platforms import function
from cluster.process import free_ports, start
from cluster.waiting import PATIENCE, eventually

FILES = release.CHART / "files"
PORTS = {"router": 9401, "operator": 9402}
CONTROL_PORT = 8081
RARE = {
    "kubewick_function_refused_total",
    "kubewick_function_retries_total",
    "kubewick_operator_reconcile_errors_total",
    "kubewick_operator_functions_not_ready",
}
"""Series that only trouble brings; that a part writes them is checked by reading in tests/integration/chart."""

pytestmark = pytest.mark.skipif(not shutil.which("prometheus"), reason="NO PROMETHEUS on this machine")


@pytest.fixture
def busy(cluster):
    """A function with a promise (spec.slo) that is being called."""
    slo = {"availability": 99.9, "latency": "250ms"}
    cluster.deploy(function("busy", "def handle():\n    return 'ok'", slo=slo))
    assert cluster.call("busy").cold
    eventually(lambda: cluster.instances("busy"))
    with load(lambda: cluster.call("busy"), rate=20):
        yield cluster


@pytest.fixture
def prometheus(busy, tmp_path):
    """Its URL. It scrapes routers, operators and the function's pod, by the rules of the chart's PodMonitors."""
    if not release.router_url(busy.kubeconfig).startswith("http://10."):
        pytest.skip("the pods of this cluster cannot be dialled from here")
    targets = [target(pod, port) for part, port in PORTS.items() for pod in pods(busy, part)]
    targets += [target(pod, CONTROL_PORT) for pod in busy.pods("busy")]
    rules = [str(path) for path in sorted((FILES / "rules").glob("*.yaml"))]
    config = {
        "global": {"scrape_interval": "500ms", "evaluation_interval": "1s"},
        "rule_files": rules,
        "scrape_configs": [{"job_name": "kubewick", "honor_labels": True, "static_configs": targets}],
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    (port,) = free_ports(1)
    command = [
        "prometheus",
        f"--config.file={tmp_path / 'config.yaml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    server = start("prometheus", command, tmp_path / "log")
    url = f"http://127.0.0.1:{port}/api/v1"
    try:
        eventually(lambda: len(asked(url, "query", query="up == 1")["result"]) == len(targets))
        yield url
    finally:
        server.stop()


def test_every_query_of_the_dashboards_finds_its_series_and_no_alert_fires_at_work(busy, prometheus):
    wanted = {name for query in queries() for name in re.findall(r"kubewick_\w+", query)} - RARE
    eventually(lambda: none(wanted - names(prometheus)))
    eventually(lambda: none(unanswered(prometheus, busy.namespace)))
    firing = asked(prometheus, "query", query='ALERTS{alertstate="firing"}')["result"]
    assert [each["metric"]["alertname"] for each in firing] == []


def names(url):
    """Of the series that Prometheus has."""
    return set(asked(url, "label/__name__/values"))


def unanswered(url, namespace):
    """Queries without a number, those left out that ask for what only trouble brings."""
    asks = (query for query in queries() if not any(name in query for name in RARE))
    return [query for query in asks if not asked(url, "query", query=plain(query, namespace))["result"]]


def none(found):
    assert not found
    return True


def queries():
    boards = [json.loads(path.read_text()) for path in sorted((FILES / "dashboards").glob("*.json"))]
    return [target["expr"] for board in boards for panel in board["panels"] for target in panel["targets"]]


def plain(query, namespace):
    """The query with Grafana's variables filled in."""
    for name, value in (("$__rate_interval", "10s"), ("$namespace", namespace), ("$function", "busy")):
        query = query.replace(name, value)
    return query


def asked(url, path, **parameters):
    try:
        with urllib.request.urlopen(f"{url}/{path}?{urllib.parse.urlencode(parameters)}", timeout=PATIENCE) as answer:
            return json.load(answer)["data"]
    except urllib.error.URLError as error:
        raise AssertionError(f"{path} {parameters}: {error}") from error


def pods(cluster, part):
    selector = f"app.kubernetes.io/part-of=kubewick,app.kubernetes.io/component={part}"
    found = kubectl(cluster.kubeconfig, "get", "pods", "-n", release.NAMESPACE, "-l", selector, "-o", "json")
    return [pod for pod in json.loads(found)["items"] if "deletionTimestamp" not in pod["metadata"]]


def target(pod, port):
    return {"targets": [f"{pod['status']['podIP']}:{port}"], "labels": {"pod": pod["metadata"]["name"]}}
