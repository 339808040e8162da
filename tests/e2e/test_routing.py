"""The router on a real cluster: failing fast with the pod's reason, sharing instances, rolling without a loss."""

import http.client
import json
import os
import select
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cluster import release
from cluster.calling import at_once, load
from cluster.kubectl import kubectl
from cluster.platforms import function
from cluster.waiting import eventually

ROUTERS = "app.kubernetes.io/part-of=kubewick,app.kubernetes.io/component=router"
DEADLINE = 100
"""Seconds: less than a call may take, more than a start that fails does on any machine."""


def of_image(name, image, **spec):
    made = function(name, "", **spec)
    del made["spec"]["source"]
    made["spec"]["image"] = image
    return made


def test_the_routers_of_an_image_built_with_a_c_compiler_run_compiled(cluster):
    told = kubectl(cluster.kubeconfig, "-n", release.NAMESPACE, "logs", "-l", ROUTERS, "--tail=-1")
    assert ', compiled"' in told
    assert ', interpreted"' not in told


def test_a_hundred_requests_at_zero_are_answered_within_the_capacity_of_ten_single_instances(cluster):
    code = "import time\n\n\ndef handle():\n    time.sleep(0.3)\n    return 'ok'"
    cluster.deploy(function("narrow", code, concurrency=1, scale={"max": 10}))
    answers = at_once(100, lambda _: cluster.call("narrow"))
    assert [answer for answer in answers if answer.status != 200] == []
    assert len(cluster.pods("narrow")) <= 10


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (of_image("broken", "localhost/there-is-no-such-image:1"), "image"),
        (function("broken", "import os\n\nos._exit(3)\n\n\ndef handle():\n    pass"), "3"),
        (function("broken", "def handle(:\n    pass"), "main.py"),
    ],
    ids=["image that does not exist", "crash at start", "syntax error"],
)
def test_what_cannot_start_is_answered_soon_with_the_reason(cluster, broken, reason):
    broken["spec"]["timeout"] = f"{DEADLINE}s"
    cluster.deploy(broken)
    answer = cluster.call("broken")
    assert answer.status == 503, answer
    assert reason in str(answer.json["error"])
    again = cluster.call("broken")
    assert again.status == 503, again
    assert max(answer.took, again.took) < DEADLINE / 2, "and not because the time was over"


def test_rolling_the_routers_under_load_loses_no_request(cluster):
    cluster.deploy(function("steady", "def handle():\n    return 'ok'", scale={"min": 1}))
    eventually(lambda: cluster.instances("steady"))
    rollout = ("-n", release.NAMESPACE, "deployment/kubewick-router")
    with load(lambda: cluster.call("steady"), clients=4, rate=40) as seen:
        kubectl(cluster.kubeconfig, "rollout", "restart", *rollout)
        kubectl(cluster.kubeconfig, "rollout", "status", *rollout, "--timeout=120s", timeout=130)
    assert seen.failures() == []


TELLS_ITS_ROUTER = """
import asyncio


async def app(scope, receive, send):
    if scope["type"] == "http":
        await asyncio.sleep(0.05)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["extensions"]["kubewick"]["peer"][0].encode()})
"""


@dataclass
class Caller:
    """One client that keeps its connection, and writes down request by request what became of it."""

    url: str
    routers: list[str] = field(default_factory=list)
    """Who passed each answered request on."""
    lost: list[str] = field(default_factory=list)
    """Who held each request that was sent and not answered; of a new connection's first, who held the one before it."""
    unconnected: int = 0
    """Connections that came to nothing before a request was sent."""

    def run(self, stop):
        parts = urlsplit(self.url)
        while not stop.is_set():
            with closing(http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)) as connection:
                try:
                    connection.connect()
                except OSError:
                    self.unconnected += 1
                else:
                    self._use(connection, stop)

    def _use(self, connection, stop):
        """Call until the connection ends; it belongs to one router from its first answer on."""
        router = ""
        while not stop.is_set() and not select.select([connection.sock], [], [], 0)[0]:  # readable: closed
            try:
                connection.request("GET", urlsplit(self.url).path)
                response = connection.getresponse()
                router = response.read().decode()
            except (OSError, http.client.HTTPException):
                self.lost.append(router or f"after {self.routers[-1] if self.routers else 'nobody'}")
                return
            self.routers.append(router if response.status == 200 else f"{response.status} {router}")
            if response.will_close:
                return


def router_processes(pod):
    """Those of the router in this pod, where the cluster runs on this machine."""
    uid = pod["metadata"]["uid"]
    for each in Path("/proc").glob("[0-9]*"):
        try:
            group, command = (each / "cgroup").read_text(), (each / "cmdline").read_bytes()
        except OSError:
            continue  # it ended meanwhile
        if b"wick_router" in command and (uid in group or uid.replace("-", "_") in group):
            yield int(each.name)


def test_killing_one_of_two_routers_loses_only_what_it_held(cluster):
    cluster.deploy(function("telling", TELLS_ITS_ROUTER, handler="main:app", scale={"min": 1}))
    eventually(lambda: cluster.instances("telling"))
    where = ("-n", release.NAMESPACE, "--selector", ROUTERS, "--field-selector", "status.phase=Running")
    listed = kubectl(cluster.kubeconfig, "get", "pods", *where, "-o", "json")
    routers = {pod["status"]["podIP"]: pod for pod in json.loads(listed)["items"]}
    callers = [Caller(f"{cluster.router}/function/{cluster.namespace}/telling/") for _ in range(8)]
    stop = threading.Event()
    with ThreadPoolExecutor(len(callers)) as pool:
        running = [pool.submit(caller.run, stop) for caller in callers]
        try:
            eventually(lambda: all(len(caller.routers) > 10 for caller in callers))
            victim = callers[0].routers[-1]
            if not (found := list(router_processes(routers[victim]))):
                pytest.skip("NO ROUTER PROCESS to kill: the cluster is not on this machine")
            for pid in found:
                os.kill(pid, signal.SIGKILL)
            name = routers[victim]["metadata"]["name"]  # it shall not come back under the same address
            kubectl(cluster.kubeconfig, "delete", "pod", name, "-n", release.NAMESPACE, "--grace-period=0", "--force")
            before = [len(caller.routers) for caller in callers]
            eventually(lambda: all(len(caller.routers) > n + 20 for caller, n in zip(callers, before, strict=True)))
        finally:
            stop.set()
            for each in running:
                each.result()
    answered = {router for caller in callers for router in caller.routers}
    assert [router for router in answered if " " in router] == [], "no answer was an error"
    lost = {router for caller in callers for router in caller.lost}
    # Who lost a connection to it may get the next one to it too, while its end goes around.
    assert lost <= {victim, f"after {victim}"}, "only its connections lost anything"
    assert all(len(caller.lost) == len(set(caller.lost)) for caller in callers), "and each what was under way, no more"
    wait = ("rollout", "status", "-n", release.NAMESPACE, "deployment/kubewick-router", "--timeout=120s")
    kubectl(cluster.kubeconfig, *wait, timeout=130)
