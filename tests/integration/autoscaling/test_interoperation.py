"""A real Prometheus server reads the counter, computes what we compute, and drives a `prometheus` metric."""

import asyncio
import itertools
import json
import shutil
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import aiohttp
import pytest
import yaml

from cluster.process import free_ports, start
from cluster.waiting import eventually, eventually_async
from wick_api.function import parse
from wick_api.names import Key
from wick_autoscaler.decisions.scaler import Replicas
from wick_autoscaler.decisions.window import History
from wick_autoscaler.external_metrics import Sources
from wick_autoscaler.loop import Autoscaler, AutoscalerSettings
from wick_autoscaler.prometheus import Access, Unanswered, ask

INTEROP = Path(__file__).parents[3] / "examples" / "interop"
SETTLED = 2.0
"""Seconds after which no sample of a moment is still on its way into Prometheus."""
COUNTER = 'kubewick_function_inflight_seconds_total{namespace="default",function="hello"}'
HELLO = Key("default", "hello")

pytestmark = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="NO PROMETHEUS on this machine (Debian: apt-get install prometheus)",
)


class Exporter(ThreadingHTTPServer):
    """Demand that rises and falls, and a queue somebody else's system has, as Prometheus text."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.total, self.since, self.lag = 1000.0, time.monotonic(), 0

    def text(self):
        now = time.monotonic()
        self.total += (2 + 9 * (now % 4 > 1)) * (now - self.since)
        self.since = now
        counter = COUNTER.replace("}", ',revision="r"}')
        return f'{counter} {self.total}\nlag{{queue="orders"}} {self.lag}\nlag{{queue="b"}} 0\n'


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"" if self.path.startswith("/quiet") else self.server.text().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def exporter():
    with Exporter() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def prometheus(exporter, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prometheus")
    config = folder / "prometheus.yml"
    targets = [{"targets": [f"127.0.0.1:{exporter.server_port}"]}]
    (folder / "rules.yml").write_text(yaml.safe_dump(rules()))
    config.write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": "500ms", "evaluation_interval": "1s"},
                "rule_files": [str(folder / "rules.yml")],
                "scrape_configs": [{"job_name": "routers", "static_configs": targets}],
            }
        )
    )
    [port] = free_ports(1)
    server = start(
        "prometheus",
        [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        folder / "log",
    )
    url = f"http://127.0.0.1:{port}"
    eventually(lambda: _ready(url))
    yield url
    server.stop()


def _ready(url):
    try:
        with urlopen(f"{url}/-/ready", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def rules():
    """What is inside the PrometheusRule, as a rule file."""
    return yaml.safe_load((INTEROP / "prometheus-rule.yaml").read_text())["spec"]


def expressions():
    """Every PromQL expression in the examples."""
    keda = yaml.safe_load((INTEROP / "keda-scaledobject.yaml").read_text())
    config, _ = yaml.safe_load_all((INTEROP / "prometheus-adapter.yaml").read_text())
    [adapter] = yaml.safe_load(config["data"]["config.yaml"])["externalRules"]
    series, matchers = "kubewick_function_inflight_seconds_total", 'namespace="default",function="hello"'
    return {
        "keda": keda["spec"]["triggers"][0]["metadata"]["query"],
        "prometheus-adapter": adapter["metricsQuery"]
        .replace("<<.Series>>", series)
        .replace("<<.LabelMatchers>>", matchers),
    } | {rule.get("record", rule.get("alert")): rule["expr"] for group in rules()["groups"] for rule in group["rules"]}


async def instant(session, server, query, at=None):
    async with session.get(f"{server}/api/v1/query", params={"query": query} | ({"time": at} if at else {})) as answer:
        body = await answer.json()
        assert body["status"] == "success", body
        return body["data"]["result"]


def test_the_rules_pass_promtool(tmp_path):
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules()))
    subprocess.run(["promtool", "check", "rules", str(tmp_path / "rules.yml")], check=True, capture_output=True)


async def test_the_expression_returns_our_own_number(prometheus):
    """The same samples, over the same span: PromQL's rate and our window differ by less than a millionth."""
    async with aiohttp.ClientSession() as session:

        async def samples():
            now = time.time() - SETTLED
            series = await instant(session, prometheus, f"{COUNTER}[6s]", now)
            assert len(series[0]["values"]) >= 12
            return now, [(float(at), float(value)) for at, value in series[0]["values"]]

        now, seen = await eventually_async(samples, every=0.3)
        [theirs] = await instant(session, prometheus, f"sum(rate({COUNTER}[6s]))", now)
    history = History(seen[0][0])
    for (since, before), (at, total) in itertools.pairwise(seen):
        history.add(since, at, total - before, 0)
    span = seen[-1][0] - seen[0][0]
    assert history.concurrency(seen[-1][0], span) == pytest.approx(float(theirs["value"][1]), rel=1e-6)
    assert 2 < float(theirs["value"][1]) < 11


async def test_every_expression_of_the_examples_is_accepted_and_the_scaling_ones_agree(prometheus):
    async with aiohttp.ClientSession() as session:

        async def answers():
            at = time.time() - SETTLED
            found = {name: await instant(session, prometheus, query, at) for name, query in expressions().items()}
            assert found["keda"]
            assert found["prometheus-adapter"]
            return found

        found = await eventually_async(answers, every=0.3)
    keda, adapter = (float(found[name][0]["value"][1]) for name in ("keda", "prometheus-adapter"))
    assert keda == pytest.approx(adapter)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("lag", "2 series"),
        ("nothing_of_that_name", "returns nothing"),
        ("lag[1m]", "matrix"),
        ("sum(", "refuses the query"),
        ("1 / 0", "inf"),
    ],
)
async def test_what_is_no_single_number_is_explained(prometheus, query, said):
    async with aiohttp.ClientSession() as session:
        await eventually_async(lambda: instant(session, prometheus, "lag"))
        with pytest.raises(Unanswered, match=said):
            await ask(session, prometheus, query, Access())


async def test_a_server_that_is_not_there_is_explained():
    async with aiohttp.ClientSession() as session:
        with pytest.raises(Unanswered, match="cannot be reached"):
            await ask(session, "http://127.0.0.1:9", "1", Access())


class Platform:
    """A Scaler that gives what is asked for at once."""

    def __init__(self, function):
        self.function, self.count = function, 0

    def functions(self):
        return [self.function]

    def changed(self):
        return None

    def replicas(self, _key):
        return Replicas(self.count, self.count)

    def instances(self, _key):
        return []

    async def scale(self, _key, decision, _replicas):
        self.count = decision.replicas


async def test_a_prometheus_metric_scales_from_zero_and_back(prometheus, exporter):
    manifest = {
        "apiVersion": "kubewick.dev/v1alpha1",
        "kind": "Function",
        "metadata": {"name": "hello"},
        "spec": {
            "image": "x",
            "scale": {
                "window": "1s",
                "idle": "1s",
                "metrics": [{"type": "prometheus", "query": 'lag{queue="orders"}', "target": 10}],
            },
        },
    }
    platform = Platform(parse(manifest))
    settings = AutoscalerSettings(period=0.2, sources=Sources(server=prometheus, period=0.3))
    url = f"http://127.0.0.1:{exporter.server_port}/quiet"
    autoscaler = Autoscaler(platform, lambda: [url], time.monotonic, settings)

    async def count(wanted):
        assert platform.count == wanted
        return True

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(autoscaler.run())
        exporter.lag = 35
        await eventually_async(lambda: count(4))
        exporter.lag = 0
        await eventually_async(lambda: count(0))
        task.cancel()


def test_the_examples_are_json_clean():
    for file in INTEROP.glob("*.yaml"):
        json.dumps(list(yaml.safe_load_all(file.read_text())))
