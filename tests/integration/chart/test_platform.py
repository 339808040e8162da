"""Operator and router as processes that hold exactly the chart's rights, where its policies and `restricted` hold.

The API server's audit log says what they asked for and were refused.
"""

import json
import os
import re
import subprocess
import sys
import urllib.request
from contextlib import contextmanager, suppress
from urllib.error import HTTPError

import pytest

from cluster.kubectl import Refused, kubectl
from cluster.process import free_ports
from cluster.waiting import PATIENCE, eventually
from operating.world import Process, function, world

SYSTEM, SERVED = "kubewick-system", "team-a"
SECRET = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "settings", "key": "key"}}}
RIGHTS = [
    ("operator", "list", "functions.kubewick.dev", SERVED),
    ("router", "list", "functions.kubewick.dev", SERVED),
    ("operator", "create", "leases.coordination.k8s.io", SYSTEM),
]
"""Of each kind of binding one: the API server learns of rights a moment after they are written."""
CASES = [
    pytest.param({"namespaces": {SERVED: {}}}, id="everywhere"),
    pytest.param({"watchNamespaces": [SERVED]}, id="named namespaces"),
]


@pytest.mark.parametrize("values", CASES)
def test_the_story_of_a_function_needs_no_right_that_the_chart_does_not_give(
    simulated_plane, installed, environment, tmp_path, values
):
    manifests = installed(values)
    for right in RIGHTS:
        eventually(lambda right=right: may(simulated_plane, *right))
    asked_before = len(simulated_plane.audited())
    own = environment(manifests, "operator") | {"KUBEWICK_OPERATOR_POOL_KEY": "key"}
    own = {name.removeprefix("KUBEWICK_OPERATOR_").lower(): value for name, value in own.items()}
    with world(simulated_plane, tmp_path) as made, router(simulated_plane, environment(manifests, "router")) as url:
        operator = Process(account(simulated_plane, "operator"), tmp_path / "operator.log", **own)
        made.started.append(operator)
        operator.wait_until_it_leads()
        made.apply(SERVED, *settings(), hello())
        made.ready("hello", SERVED)
        eventually(lambda: pool_is_ready(made))

        knock(f"{url}/function/{SERVED}/hello/")
        eventually(lambda: made.get("deploy", "hello", SERVED)["spec"]["replicas"] == 1)

        made.apply(SERVED, hello(env=[SECRET], scale={"min": 2, "max": 3}))
        eventually(lambda: made.get("deploy", "hello", SERVED)["spec"]["replicas"] == 2)
        made.ready("hello", SERVED, "Ready")

        kubectl(simulated_plane.kubeconfig, "delete", "function", "hello", "-n", SERVED)
        eventually(lambda: made.get("deploy", "hello", SERVED) is None)
        operator.stop()
    asked = simulated_plane.audited()[asked_before:]
    assert [told_of(each) for each in asked if each["responseStatus"]["code"] == 403] == []
    done = {(who(each), each["verb"], what(each)) for each in asked}
    assert {("operator", "patch", "deployments"), ("operator", "patch", "functions/status")} <= done
    # A router patches a warm pod only once that serves, which no simulated pod does; on the cluster they do.
    assert ("router", "patch", "deployments/scale") in done
    kubectl(simulated_plane.kubeconfig, "delete", "configmap,secret", "settings", "-n", SERVED)


TENANTS = {
    "routes": {"hosts": {SERVED: ["shop.example"], "tenant=blue": ["*.blue.example", "shop.example"]}},
    "router": {"domains": ["fn.example"]},
    "warmPool": {"enabled": False},
}


def test_operator_and_router_agree_on_whose_a_host_is(simulated_plane, installed, environment, tmp_path):
    """Nothing runs: a body that is too large is refused with its function's own limit, which tells whose it is."""
    manifests = installed(TENANTS)
    kubectl(simulated_plane.kubeconfig, "create", "namespace", "blue")
    for right in (*RIGHTS, ("router", "list", "namespaces", SYSTEM)):
        eventually(lambda right=right: may(simulated_plane, *right))
    asked_before = len(simulated_plane.audited())
    own = {
        name.removeprefix("KUBEWICK_OPERATOR_").lower(): value
        for name, value in environment(manifests, "operator").items()
    }
    with world(simulated_plane, tmp_path) as made, router(simulated_plane, environment(manifests, "router")) as url:
        operator = Process(account(simulated_plane, "operator"), tmp_path / "operator.log", **own)
        made.started.append(operator)
        operator.wait_until_it_leads()
        login, shop, mine = f"login.{SERVED}.svc.cluster.local", {"host": "shop.example"}, {"host": "my.blue.example"}
        taken = {"host": login, "path": "/token"}
        made.apply("blue", function("thief", maxRequestBytes=1, routes=[taken]))
        made.apply("blue", function("mine", maxRequestBytes=2, routes=[mine]))
        made.apply("blue", function("late", maxRequestBytes=3, routes=[{"path": "/"}]))
        made.ready("thief", "blue", "HostNotAllowed")
        assert "no leave for host my.blue.example" in made.ready("mine", "blue", "HostNotAllowed")["why"]
        made.ready("late", "blue", "HostNotAllowed")
        made.apply(SERVED, function("login", maxRequestBytes=4), function("shop", maxRequestBytes=5, routes=[shop]))
        made.ready("shop", SERVED)

        eventually(lambda: limit(url, login, "/token") == 4)
        assert limit(url, f"login.{SERVED}.fn.example", "/") == 4
        assert [limit(url, host, "/") for host in ("my.blue.example", "nobody.example")] == [404, 404]

        kubectl(simulated_plane.kubeconfig, "label", "namespace", "blue", "tenant=blue")
        made.ready("mine", "blue")
        eventually(lambda: limit(url, "my.blue.example", "/") == 2)
        made.outlive_the_second_of("shop", SERVED)
        made.apply("blue", function("later", maxRequestBytes=6, routes=[shop]))
        why = made.ready("later", "blue", "RouteConflict")["why"]
        assert "shop.example" in why
        assert SERVED not in why
        assert limit(url, "shop.example", "/") == 5
        events = made.list("events.events.k8s.io", "blue")
        assert {"HostNotAllowed", "RouteConflict"} <= {event["reason"] for event in events}

        kubectl(simulated_plane.kubeconfig, "delete", "fn", "shop", "-n", SERVED)
        made.ready("later", "blue")
        eventually(lambda: limit(url, "shop.example", "/") == 6)
        kubectl(simulated_plane.kubeconfig, "label", "namespace", "blue", "tenant-")
        made.ready("mine", "blue", "HostNotAllowed")
        eventually(lambda: limit(url, "my.blue.example", "/") == 404)
        kubectl(simulated_plane.kubeconfig, "delete", "fn", "login", "-n", SERVED)
        eventually(lambda: limit(url, login, "/token") == 404)
        operator.stop()
    assert [
        told_of(each) for each in simulated_plane.audited()[asked_before:] if each["responseStatus"]["code"] == 403
    ] == []
    kubectl(simulated_plane.kubeconfig, "delete", "namespace", "blue", "--wait=false")


def limit(url, host, path):
    """The limit of the function that a request belongs to, or the status it was answered with."""
    request = urllib.request.Request(url + path, data=b"ten bytes.", headers={"Host": host})
    with pytest.raises(HTTPError) as refused:
        urllib.request.urlopen(request, timeout=PATIENCE)
    found = re.search(r"larger than the (\d+) bytes", refused.value.read().decode())
    return int(found[1]) if found else refused.value.code


def settings():
    """A ConfigMap and a Secret to take variables from."""
    about = {"metadata": {"name": "settings"}, "apiVersion": "v1"}
    return (
        {**about, "kind": "ConfigMap", "data": {"COLOUR": "red"}},
        {**about, "kind": "Secret", "stringData": {"key": "s"}},
    )


def hello(**spec):
    """It may start from the warm pool, unless it reads the Secret."""
    return function(envFrom=[{"configMapRef": {"name": "settings"}}], timeout="2s", **spec)


def may(plane, part, verb, what, namespace):
    user = f"--as=system:serviceaccount:{SYSTEM}:kubewick-{part}"
    try:
        return "yes" in kubectl(plane.kubeconfig, "auth", "can-i", verb, what, "-n", namespace, user)
    except Refused:
        return False


def pool_is_ready(made):
    pool = made.get("deploy", "kubewick-pool-python", SERVED) or {}
    return pool.get("status", {}).get("readyReplicas")


def knock(url):
    """Call a function whose simulated pods will never answer."""
    with suppress(TimeoutError, HTTPError):
        urllib.request.urlopen(url, timeout=5)


def status_of(url):
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return answer.status
    except HTTPError as error:
        return error.code


def account(plane, part):
    """A kubeconfig with a token of the part's own ServiceAccount."""
    token = kubectl(plane.kubeconfig, "create", "token", "-n", SYSTEM, f"kubewick-{part}").strip()
    config = json.loads(plane.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    file = plane.folder / f"token-{part}.kubeconfig"
    file.write_text(json.dumps(config))
    return file


@contextmanager
def router(plane, given):
    """A router in the environment that the chart gives it; its URL."""
    port, admin = free_ports(2)
    settings = {
        "WICK_ROUTER_HOST": "127.0.0.1",
        "WICK_ROUTER_PORT": port,
        "WICK_ROUTER_ADMIN_HOST": "127.0.0.1",
        "WICK_ROUTER_ADMIN_PORT": admin,
        "WICK_ROUTER_DRAIN_DELAY": 0,
        "WICK_ROUTER_GRACE": 2,
        "WICK_ROUTER_POKE_HOST": "",
        "WICK_KUBERNETES_KUBECONFIG": account(plane, "router"),
        "WICK_KUBERNETES_POOL_KEY": "key",
    }
    command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "wick_router"]
    environment = os.environ | given | {name: str(value) for name, value in settings.items()}
    process = subprocess.Popen(command, env=environment)
    try:
        eventually(lambda: ready(admin))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def ready(port):
    try:
        return status_of(f"http://127.0.0.1:{port}/readyz") == 200
    except OSError:
        return False


def who(entry):
    return entry["user"]["username"].rpartition(":kubewick-")[2]


def what(entry):
    reference = entry.get("objectRef", {})
    return "/".join(filter(None, (reference.get("resource"), reference.get("subresource"))))


def told_of(entry):
    return who(entry), entry["verb"], entry["requestURI"], entry["responseStatus"].get("message")
