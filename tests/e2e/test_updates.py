"""The operator on a real cluster: safe updates and its leader's death."""

from cluster import release
from cluster.calling import load
from cluster.kubectl import kubectl
from cluster.platforms import function
from cluster.waiting import eventually


def says(word):
    return f"def handle():\n    return {word!r}"


def test_twenty_updates_under_fifty_requests_a_second_fail_none(cluster):
    cluster.deploy(function("busy", says("0"), scale={"min": 1}))
    eventually(lambda: cluster.instances("busy"))
    with load(lambda: cluster.call("busy"), clients=5, rate=50) as seen:
        for number in range(1, 21):
            cluster.deploy(function("busy", says(str(number)), scale={"min": 1}))
            if number % 5 == 0:
                word = str(number).encode()
                eventually(lambda word=word: word in seen.bodies())
    assert seen.failures() == []


def test_a_broken_revision_never_serves(cluster):
    cluster.deploy(function("busy", says("good"), scale={"min": 1}))
    eventually(lambda: cluster.instances("busy"))
    with load(lambda: cluster.call("busy"), clients=5, rate=50) as seen:
        cluster.deploy(function("busy", "def handle(:\n    return 'broken'", scale={"min": 1}))
        eventually(lambda: "SyntaxError" in cluster.why("busy") or "main.py" in cluster.why("busy"))
    assert seen.failures() == []


def test_with_its_leader_killed_new_and_old_functions_still_start_from_zero(cluster):
    cluster.deploy(function("old", says("old")))
    killed = release.leader(cluster.kubeconfig)
    kubectl(cluster.kubeconfig, "delete", "pod", killed, "-n", release.NAMESPACE, "--grace-period=0", "--force")
    assert cluster.call("old").body == b"old"
    cluster.deploy(function("new", says("new")))
    assert cluster.call("new").body == b"new"
    wait = ("rollout", "status", "-n", release.NAMESPACE, "deployment/kubewick-operator", "--timeout=120s")
    kubectl(cluster.kubeconfig, *wait, timeout=130)
