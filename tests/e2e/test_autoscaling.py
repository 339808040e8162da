"""The autoscaler on a real cluster: under load, by a real Prometheus, and with its leader killed.

Each function has short windows, so that a story takes seconds. What a Deployment was asked for is not polled but
watched, so nothing in between is missed. Run with `-s` to see how soon the first new pod was asked for.
"""

import json
import math
import shutil
import socket
import subprocess
import threading
import time
from bisect import bisect_right
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from cluster import debian, release, tools
from cluster.calling import call, load
from cluster.kubectl import kubectl
from cluster.platforms import function
from cluster.process import start
from cluster.waiting import eventually

SLOW = "import time\n\n\ndef handle():\n    time.sleep(0.5)\n    return 'slow'"
QUICK = "def handle():\n    return 'quick'"
SHORT = {"window": "6s", "idle": "2s", "max": 8, "utilization": 100, "panic": {"window": 50}}
BURST = 3.0
"""Seconds of that short window; with the default of a tenth, a machine that stalls for a moment makes a burst."""
EACH, RATE = 5, 10
"""What one instance should carry: requests at a time, or a second."""
WINDOW = 6 * 16
"""Answers that eight clients of half a second each get in a window."""


@dataclass
class Watched:
    """Every number of replicas each Deployment of a namespace was asked for, and when (`time.monotonic`)."""

    asked: dict[str, list[tuple[float, int]]] = field(default_factory=dict)

    def told(self, line):
        name, number = line.split()
        seen = self.asked.setdefault(name, [])
        if not seen or seen[-1][1] != int(number):
            seen.append((time.monotonic(), int(number)))

    def now(self, name):
        return self.asked[name][-1][1] if self.asked.get(name) else None

    def since(self, name, when):
        """The number at `when` and all after it."""
        seen = self.asked[name]
        return [number for at, number in seen if at <= when][-1:] + [number for at, number in seen if at > when]

    def first_above(self, name, number, since):
        """Seconds from `since` until more than `number` were asked for; NaN where they never were."""
        return next((at - since for at, asked in self.asked[name] if at >= since and asked > number), math.nan)


@pytest.fixture
def watched(cluster):
    """Follow this test's Deployments until it ends."""
    wanted = 'jsonpath={.metadata.name} {.spec.replicas}{"\\n"}'
    command = [tools.path("kubectl"), f"--kubeconfig={cluster.kubeconfig}", "get", "deployments", "--watch"]
    process = subprocess.Popen(
        [*map(str, command), "--namespace", cluster.namespace, "-o", wanted],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    watched = Watched()

    def read():
        with process.stdout as lines:
            for line in lines:
                watched.told(line)

    reader = threading.Thread(target=read)
    reader.start()
    yield watched
    process.kill()
    process.wait()
    reader.join()


def test_by_concurrency_and_by_rps_pods_follow_the_load_from_two_to_four_to_zero_and_up(cluster, watched):
    cluster.deploy(
        function("level", SLOW, concurrency=10, scale=SHORT | {"metric": "concurrency", "target": EACH}),
        function("rate", QUICK, concurrency=10, scale=SHORT | {"metric": "rps", "target": RATE}),
    )
    answered = {"level": [], "rate": []}
    with ExitStack() as loads:
        for pods in (2, 3, 4):
            stepped, before = time.monotonic(), {name: watched.now(name) or 0 for name in answered}
            # In the middle between two numbers of pods, so that a busy machine's jitter does not ask for another.
            clients, rate = (2 * EACH - 2, 2 * RATE - 4) if pods == 2 else (EACH, RATE)
            answered["level"].append(loads.enter_context(load(lambda: cluster.call("level"), clients=clients)))
            answered["rate"].append(loads.enter_context(load(lambda: cluster.call("rate"), clients=3, rate=rate)))
            for name, number in before.items():
                eventually(lambda name=name, pods=pods: watched.now(name) == pods)
                print(f"{name} {number} -> {pods}: asked for after {watched.first_above(name, number, stepped):.3f} s")
            more_answers(answered["level"][0], WINDOW)  # until the window holds nothing of the load before
            reached = time.monotonic()
            more_answers(answered["level"][0], WINDOW)
            for name in answered:
                steady = watched.since(name, reached)
                least, most = came(answered["rate"], reached) if name == "rate" else (pods, pods)
                assert set(steady) <= set(range(least - 1, most + 2)), (name, steady, why(cluster, name))
                eventually(lambda name=name, pods=pods: watched.now(name) == pods)
                print(f"{name} under the load of {pods}: {steady}")
    for name, seen in answered.items():
        answers = sum(len(each.answers) for each in seen)
        assert sum(len(each.failures()) for each in seen) <= answers / 1000, [each.statuses() for each in seen]
        print(f"{name}: at most {max(number for _, number in watched.asked[name])}, {answers} answers")
        eventually(lambda name=name: watched.now(name) == 0)
        eventually(lambda name=name: cluster.call(name).cold)
        eventually(lambda name=name: watched.now(name) >= 1)


def came(loads, since):
    """The fewest and the most instances that the answers of any short window since then ask for.

    One number, unless this machine stood still: then the load was not steady either.
    """
    at = sorted(answer.at for each in loads for answer in list(each.answers))
    ends = [since + step / 4 for step in range(int(4 * (time.monotonic() - since)))]
    counts = [bisect_right(at, end) - bisect_right(at, end - BURST) for end in ends]
    return tuple(math.ceil(round(count / BURST / RATE, 1)) for count in (min(counts), max(counts)))


def more_answers(seen, count):
    """Wait until so many more have come."""
    until = len(seen.answers) + count
    eventually(lambda: len(seen.answers) >= until)


def why(cluster, name):
    """The last decisions, for a failure's message."""
    decisions = cluster.shown(name)["status"].get("scale", {}).get("decisions", ())
    return [(each["at"], each["from"], each["replicas"], each["message"]) for each in decisions]


def test_the_leader_killed_in_the_middle_of_a_spike_loses_nothing_and_scales_on(cluster, watched):
    cluster.deploy(function("spiked", SLOW, concurrency=10, scale=SHORT | {"metric": "concurrency", "target": EACH}))
    forced = ("-n", release.NAMESPACE, "--grace-period=0", "--force")
    with ExitStack() as loads:
        seen = [loads.enter_context(load(lambda: cluster.call("spiked"), clients=2 * EACH - 1))]
        eventually(lambda: watched.now("spiked") == 2)
        killed = time.monotonic()
        kubectl(cluster.kubeconfig, "delete", "pod", release.leader(cluster.kubeconfig), *forced)
        seen.append(loads.enter_context(load(lambda: cluster.call("spiked"), clients=2 * EACH)))
        eventually(lambda: watched.now("spiked") == 4)
        print(f"scaled on {time.monotonic() - killed:.1f} s after the leader was killed")
    assert [answer for each in seen for answer in each.failures()] == []
    assert min(watched.since("spiked", killed)) >= 2
    wait = ("rollout", "status", "-n", release.NAMESPACE, "deployment/kubewick-operator", "--timeout=120s")
    kubectl(cluster.kubeconfig, *wait, timeout=130)


class Queue(ThreadingHTTPServer):
    """Somebody's queue, whose length Prometheus reads."""

    daemon_threads = True
    length = 0

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Length)


class _Length(BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"orders_waiting {self.server.length}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def queue():
    with Queue() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def node_address(kubeconfig):
    """An address of this machine that pods reach, or a skip: on kind the node is another one."""
    nodes = json.loads(kubectl(kubeconfig, "get", "nodes", "-o", "json"))["items"]
    address = next(each["address"] for each in nodes[0]["status"]["addresses"] if each["type"] == "InternalIP")
    try:
        with socket.create_server((address, 0)) as free:
            return free.getsockname()
    except OSError:
        pytest.skip(f"NO PROMETHEUS: {address}, where pods could reach one, is not this machine's")


@pytest.fixture
def prometheus(cluster, queue, tmp_path):
    """A real Prometheus server that reads the queue and the routers; its URL, as pods know it."""
    try:
        debian.ensure(debian.METRICS)
    except tools.Missing as missing:
        pytest.skip(f"NO PROMETHEUS: this machine lacks {missing}")
    host, port = node_address(cluster.kubeconfig)
    config = tmp_path / "prometheus.yml"
    targets = {"job_name": "queue", "static_configs": [{"targets": [f"127.0.0.1:{queue.server_port}"]}]}
    config.write_text(yaml.safe_dump({"global": {"scrape_interval": "500ms"}, "scrape_configs": [targets]}))
    server = start("prometheus", prometheus_command(config, tmp_path / "data", f"{host}:{port}"), tmp_path / "log")
    try:
        eventually(lambda: ready(f"http://{host}:{port}/-/ready"))
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def prometheus_command(config: Path, data: Path, listen: str):
    program = shutil.which("prometheus")
    return [program, f"--config.file={config}", f"--storage.tsdb.path={data}", f"--web.listen-address={listen}"]


def ready(url):
    try:
        return call(url).status == 200
    except OSError:
        return False


def test_a_prometheus_metric_scales_from_zero_and_back(cluster, watched, queue, prometheus):
    metric = {"type": "prometheus", "server": prometheus, "query": "orders_waiting", "target": 10}
    scale = {key: SHORT[key] for key in ("window", "idle", "max")} | {"metrics": [metric]}
    cluster.deploy(function("consumer", QUICK, scale=scale))
    eventually(lambda: watched.now("consumer") == 0)
    queue.length, grown = 25, time.monotonic()
    eventually(lambda: watched.now("consumer") == 3)
    print(f"consumer 0 -> 3: asked for {time.monotonic() - grown:.1f} s after the queue grew")
    eventually(lambda: len(cluster.instances("consumer")) == 3)
    queue.length = 0
    eventually(lambda: watched.now("consumer") == 0)
    eventually(lambda: "prometheus" in json.dumps(cluster.shown("consumer")["status"]["scale"]))
