"""The router on a real cluster: failing fast with the pod's reason, sharing instances, rolling without a loss."""

import pytest

from cluster import release
from cluster.calling import at_once, load
from cluster.kubectl import kubectl
from cluster.platforms import function
from cluster.waiting import eventually

ROUTERS = "app.kubernetes.io/part-of=kubewick,app.kubernetes.io/component=router"


def of_image(name, image, **spec):
    made = function(name, "", **spec)
    del made["spec"]["source"]
    made["spec"]["image"] = image
    return made


def test_the_routers_of_an_image_built_with_a_c_compiler_run_compiled(cluster):
    told = kubectl(cluster.kubeconfig, "-n", release.NAMESPACE, "logs", "-l", ROUTERS, "--tail=-1")
    assert ", compiled\n" in told
    assert ", interpreted\n" not in told


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
    cluster.deploy(broken)
    answer = cluster.call("broken")
    assert answer.status == 503, answer
    assert reason in str(answer.json["error"])
    assert answer.took < 30
    again = cluster.call("broken")
    assert (again.status, again.took < 5) == (503, True), again


def test_rolling_the_routers_under_load_loses_no_request(cluster):
    cluster.deploy(function("steady", "def handle():\n    return 'ok'", scale={"min": 1}))
    eventually(lambda: cluster.instances("steady"), within=60)
    rollout = ("-n", release.NAMESPACE, "deployment/kubewick-router")
    with load(lambda: cluster.call("steady"), clients=4, rate=40) as seen:
        kubectl(cluster.kubeconfig, "rollout", "restart", *rollout)
        kubectl(cluster.kubeconfig, "rollout", "status", *rollout, "--timeout=120s", timeout=130)
    assert seen.failures() == []


def test_killing_one_of_two_routers_loses_only_what_it_held(cluster):
    cluster.deploy(function("steady", "def handle():\n    return 'ok'", scale={"min": 1}))
    eventually(lambda: cluster.instances("steady"), within=60)
    where = ("-n", release.NAMESPACE, "--selector", ROUTERS)
    victim = kubectl(cluster.kubeconfig, "get", "pods", *where, "-o", "name").split()[0]
    with load(lambda: cluster.call("steady"), clients=4, rate=40) as seen:
        kubectl(cluster.kubeconfig, "delete", victim, "-n", release.NAMESPACE, "--grace-period=0", "--force")
        before = len(seen.answers)
        eventually(lambda: len(seen.answers) > before + 200, within=30)
    # A connection to a killed router is refused or reset until its endpoint is gone; four clients hold four requests.
    assert set(seen.statuses()) <= {200, 0}
    assert seen.success() > 0.9
    wait = ("rollout", "status", "-n", release.NAMESPACE, "deployment/kubewick-router", "--timeout=60s")
    kubectl(cluster.kubeconfig, *wait, timeout=70)
