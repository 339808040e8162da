"""The warm pool on a real cluster: what it promises is checked on real pods, kubelets and controllers."""

import base64
import json
import sys
import time

import pytest

from cluster import release
from cluster.calling import at_once, load
from cluster.kubectl import kubectl
from cluster.platforms import function
from cluster.waiting import eventually
from wick_api import warm as warm_api

SIZE = 3
KEY = f"{release.NAME}-pool"
POOL = "kubewick.dev/pool"
FUNCTION = "kubewick.dev/function"
STANDS_IN_FOR = "kubewick.dev/stands-in-for"
ENVIRONMENT = """
import json, os, tempfile
from lib.words import GREETING

def handle():
    with tempfile.TemporaryFile() as file:
        file.write(GREETING)
    return json.dumps(dict(os.environ))
"""
FILES = {"main.py": ENVIRONMENT, "lib/words.py": "GREETING = b'hello'"}
SETTINGS = {
    "env": [
        {"name": "PLAIN", "value": "a b"},
        {"name": "COMPOSED", "value": "<$(PLAIN)> $$(PLAIN) $(ABSENT)"},
        {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "mode"}}},
        {"name": "MAYBE", "valueFrom": {"configMapKeyRef": {"name": "absent", "key": "x", "optional": True}}},
        *(
            {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
            for name, path in {
                "POD": "metadata.name",
                "NAMESPACE": "metadata.namespace",
                "ADDRESS": "status.podIP",
                "NODE": "spec.nodeName",
                "UID": "metadata.uid",
                "LABEL": f"metadata.labels['{FUNCTION}']",
                "ACCOUNT": "spec.serviceAccountName",
            }.items()
        ),
    ],
    "envFrom": [{"prefix": "ALL_", "configMapRef": {"name": "settings"}}],
}
TAKE_OVER = """
import urllib.error, urllib.request

def handle(request):
    headers = {"Authorization": "Bearer " + request.body.decode()}
    order = urllib.request.Request("http://127.0.0.1:8081/specialize", data=b"{}", headers=headers, method="POST")
    try:
        return str(urllib.request.urlopen(order, timeout=5).status)
    except urllib.error.HTTPError as error:
        return str(error.code)
"""
SMALL = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}}
"""So that a small node has room for a burst."""
OF_THE_POD = {"POD", "ADDRESS", "UID", "HOSTNAME"}
"""What tells two pods of one function apart."""
OF_THE_FUNCTION = {"LABEL", "KUBEWICK_FUNCTION", "KUBEWICK_REVISION"}


def says(word):
    return f"def handle():\n    return {word!r}"


def sized(cluster, size, dormant=0):
    pool = json.dumps({"python": {"min": size, "max": size, "dormant": dormant}})
    kubectl(cluster.kubeconfig, "annotate", "namespace", cluster.namespace, f"{POOL}={pool}", "--overwrite")


def warm(cluster):
    """Pods that wait for a function, ready."""
    pods = cluster.get("pods", "--selector", POOL)["items"]
    return [
        pod["metadata"]["name"]
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"]
        and any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", ()))
    ]


def live(cluster):
    """Names of all pods that are not on their way out."""
    return {
        each["metadata"]["name"] for each in cluster.get("pods")["items"] if "deletionTimestamp" not in each["metadata"]
    }


def taken_by_nodes(cluster, prefix):
    """Names of the pods so called that a node was ever given."""
    events = cluster.get("events", "--field-selector", "reason=Scheduled")["items"]
    return [each["involvedObject"]["name"] for each in events if each["involvedObject"]["name"].startswith(prefix)]


def has_its_size(cluster, size=SIZE):
    eventually(lambda: len(warm(cluster)) == size, every=0.2)


def owned(cluster, name):
    """The function's one pod, once its ReplicaSet owns it and has dropped the one it had made meanwhile."""
    pods = cluster.pods(name)
    assert len(pods) == 1, [each["metadata"]["name"] for each in pods]
    [pod] = pods
    owners = [each for each in pod["metadata"].get("ownerReferences", ()) if each.get("controller")]
    assert [each["kind"] for each in owners] == ["ReplicaSet"], owners
    return pod


MORTAL = """
import os

def handle(request):
    if request.body == b"die":
        for pid in [int(name) for name in os.listdir("/proc") if name.isdigit()]:
            if pid not in (1, os.getpid()):
                os.kill(pid, 9)
    return os.environ["POD"]
"""


@pytest.fixture
def pool(cluster):
    """A namespace with a pool at its size."""
    sized(cluster, SIZE)
    cluster.deploy(function("resident", says("here")))
    has_its_size(cluster)
    return cluster


def volumes(pod):
    return [volume["name"] for volume in pod["spec"].get("volumes", ())]


def test_a_warm_pod_has_the_environment_of_a_cold_one_name_by_name_whichever_way_its_source_came(pool):
    pool.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "settings"},
            "data": {"mode": "dark", "GREETING": "hi"},
        }
    )
    tell = function("tell", "", **SETTINGS)
    unpooled = function("unpooled", "", **SETTINGS, nodeSelector={"kubernetes.io/os": "linux"})
    for each in (tell, unpooled):
        each["spec"]["source"]["inline"] = FILES
    pool.deploy(tell, unpooled)
    before = warm(pool)
    from_pool = pool.call("tell").json
    assert from_pool["POD"] in before
    eventually(lambda: owned(pool, "tell"))
    pool.kubectl("delete", "pod", from_pool["POD"], "--wait=false")
    eventually(lambda: pool.instances("tell") not in ([], [from_pool["POD"]]))
    eventually(lambda: pool.call("tell").json["POD"] != from_pool["POD"])
    cold = pool.call("tell").json
    assert from_pool.keys() == cold.keys()
    differing = {name for name in cold if cold[name] != from_pool[name]}
    assert differing == OF_THE_POD
    assert (cold["MODE"], cold["ALL_GREETING"], cold["COMPOSED"]) == ("dark", "hi", "<a b> $(PLAIN) $(ABSENT)")
    by_environment = pool.call("unpooled").json
    assert by_environment.keys() == cold.keys()
    assert {name for name in cold if cold[name] != by_environment[name]} == OF_THE_POD | OF_THE_FUNCTION
    assert [volumes(each) for name in ("unpooled", "tell") for each in pool.pods(name)] == [[], []]
    assert [volumes(each) for each in pool.get("pods", "--selector", POOL)["items"]] == [[]] * SIZE


def test_the_adopted_pod_is_the_deployments_in_every_way(pool):
    code = "def handle():\n    print('a line of mine', flush=True)\n    return 'one'"
    resources = {"requests": {"cpu": "33m", "memory": "40Mi"}, "limits": {"memory": "200Mi"}}
    pool.deploy(function("mine", code, resources=resources))
    before = warm(pool)
    assert pool.call("mine").body == b"one"
    pod = eventually(lambda: owned(pool, "mine"))
    name = pod["metadata"]["name"]
    assert name in before
    template = pool.get("deployment", "mine")["spec"]["template"]
    assert template["metadata"]["labels"].items() <= pod["metadata"]["labels"].items()
    assert POOL not in pod["metadata"]["labels"]
    eventually(lambda: STANDS_IN_FOR not in pool.get("pod", name)["metadata"]["labels"])
    assert taken_by_nodes(pool, name) == [name]
    assert taken_by_nodes(pool, "mine-") == [], "its Deployment has made a pod beside the warm one, which no node took"
    eventually(
        lambda: (
            pool.get("pod", name)["spec"]["containers"][0]["resources"]
            == template["spec"]["containers"][0]["resources"]
        ),
    )
    assert "a line of mine" in eventually(lambda: pool.kubectl("logs", name))
    path = f"/api/v1/namespaces/{pool.namespace}/pods/{name}:8081/proxy/metrics"
    assert 'function="mine"' in kubectl(pool.kubeconfig, "get", "--raw", path)
    pool.deploy(function("mine", says("two")))
    eventually(lambda: pool.call("mine").body == b"two")
    eventually(lambda: name not in live(pool))
    pool.deploy(function("mine", says("two"), scale={"idle": "1s", "window": "6s"}))
    eventually(lambda: pool.pods("mine") == [])
    has_its_size(pool)


def test_a_claimed_pod_takes_no_second_function_even_from_who_has_its_token(pool):
    secret = json.loads(kubectl(pool.kubeconfig, "get", "secret", KEY, "-n", release.NAMESPACE, "-o", "json"))
    token = warm_api.token(base64.b64decode(secret["data"]["key"]).decode(), pool.namespace, "python")
    before = warm(pool)
    pool.deploy(function("guarded", TAKE_OVER))
    assert pool.call("guarded", body=token.encode()).body == b"409"
    eventually(lambda: {each["metadata"]["name"] for each in pool.pods("guarded")} & set(before))
    assert pool.call("guarded", body=b"guessed").body == b"401"


def test_a_function_whose_container_is_restarted_serves_on_in_another_pod(pool):
    before = warm(pool)
    pool.deploy(function("mortal", MORTAL, env=[SETTINGS["env"][4]], timeout="20s"))
    first = pool.call("mortal").body.decode()
    assert first in before
    eventually(lambda: owned(pool, "mortal"))
    assert pool.call("mortal", body=b"die").status >= 500
    serving = eventually(lambda: (answer := pool.call("mortal")).status == 200 and answer.body.decode())
    assert serving != first
    eventually(lambda: owned(pool, "mortal")["metadata"]["name"] == serving)


def test_code_that_does_not_load_is_told_at_once_its_pod_goes_and_a_fix_works(pool):
    before = warm(pool)
    pool.deploy(
        function("broken", "import json\nimport no_such_module\n\n\ndef handle():\n    return 1", timeout="100s")
    )
    answer = pool.call("broken")
    assert answer.status == 503, answer
    assert "main.py:2" in answer.json["error"]["message"]
    assert "no_such_module" in answer.json["error"]["message"]
    assert answer.took < 50, "and not because the time was over"
    eventually(lambda: len(set(before) - live(pool)) == 1)
    pool.deploy(function("broken", says("mended")))
    eventually(lambda: pool.call("broken").body == b"mended")
    has_its_size(pool)


def test_an_update_under_a_trickle_serves_from_a_warm_pod_and_fails_no_request(pool, record_property):
    tells = "import os\n\n\ndef handle():\n    return {!r} + ' ' + os.environ['POD']"
    pod = {"env": [SETTINGS["env"][4]]}
    pool.deploy(function("changing", tells.format("one"), **pod))
    pool.call("changing")
    eventually(lambda: owned(pool, "changing"))
    has_its_size(pool)
    before = warm(pool)
    with load(lambda: pool.call("changing"), clients=2, rate=20) as seen:
        eventually(lambda: seen.answers)
        pool.apply(function("changing", tells.format("two"), **pod))
        applied = time.monotonic()
        eventually(lambda: seen.answers[-1].body.startswith(b"two"))
        eventually(lambda: owned(pool, "changing")["metadata"]["name"] in before)
    assert seen.failures() == []
    new = [answer for answer in seen.answers if answer.body.startswith(b"two")]
    took = f"{(new[0].at - applied) * 1000:.0f} ms from apply to the first answer by the new code"
    record_property("update", took)
    sys.stdout.write(took + "\n")


def test_a_burst_beyond_the_warm_pods_is_served_by_dormant_ones_with_the_same_environment(pool):
    tells = "import json, os\n\n\ndef handle():\n    return json.dumps(dict(os.environ))"
    names = [f"f{number}" for number in range(5)]
    env = [each for each in SETTINGS["env"] if "configMapKeyRef" not in each.get("valueFrom", {})]
    pool.deploy(*(function(name, tells, env=env, resources=SMALL) for name in names))
    sized(pool, 1, dormant=9)
    has_its_size(pool, 1 + len(names))  # with the resident function there are six that may rest
    before = warm(pool)
    answers = at_once(len(names), lambda number: pool.call(names[number]))
    by_pod = {answer.json["POD"]: answer for answer in answers}
    assert by_pod.keys() <= set(before)
    assert len(by_pod) == len(names)
    assert [("wake;" in answer.headers["server-timing"]) for answer in by_pod.values()].count(False) == 1
    assert len({frozenset(answer.json) for answer in answers}) == 1
    eventually(lambda: {owned(pool, name)["metadata"]["name"] for name in names} == by_pod.keys())
    has_its_size(pool, 1 + len(names))
    pool.kubectl("delete", "functions", *names, "--wait=false")
    has_its_size(pool, 1)


def test_more_starts_than_warm_pods_lose_no_request_and_leave_the_pool_at_its_size(pool):
    names = [f"f{number}" for number in range(8)]
    pool.deploy(*(function(name, says(name), resources=SMALL) for name in names))
    answers = at_once(len(names), lambda number: pool.call(names[number]))
    assert [answer.body.decode() for answer in answers] == names
    eventually(lambda: [owned(pool, name) for name in names])
    used = [pool.pods(name)[0]["metadata"]["uid"] for name in names]
    assert len(set(used)) == len(names)
    pool.kubectl("delete", "functions", *names, "--wait=false")
    eventually(lambda: pool.get("pods", "--selector", FUNCTION)["items"] == [])
    has_its_size(pool)
