"""Every way a pod fails to serve is read back as one sentence with a remedy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_api import diagnosis
from wick_api.diagnosis import Evidence, Trouble
from wick_api.reason import Reason


def pod(state=None, *, last=None, restarts=0, ready=False, ports=("http", "control"), conditions=(), **status):
    return {
        "metadata": {
            "name": "hello-1",
            "labels": {"kubewick.dev/function": "hello", "kubewick.dev/revision": "0123456789"},
        },
        "spec": {
            "nodeName": "n1",
            "containers": [
                {
                    "name": "function",
                    "ports": [{"name": name} for name in ports],
                    "resources": {"limits": {"memory": "64Mi"}},
                }
            ],
        },
        "status": {
            "conditions": [{"type": "Ready", "status": str(ready)}, *conditions],
            "containerStatuses": [
                {
                    "name": "function",
                    "image": "r/x:1",
                    "ready": ready,
                    "restartCount": restarts,
                    "state": state or {},
                    "lastState": {"terminated": last} if last else {},
                }
            ],
            **status,
        },
    }


def waiting(reason, message=""):
    return {"waiting": {"reason": reason, "message": message}}


FULL = "Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. "
RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
BACK_OFF = waiting("CrashLoopBackOff", "back-off 10s")
NO_ROOM = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: 1 no cpu."}


def event(reason, message, **more):
    return {"reason": reason, "message": message, "lastTimestamp": "2026-01-01T00:00:00Z", **more}


@pytest.mark.parametrize(
    ("given", "evidence", "reason", "says"),
    [
        (pod(waiting("ErrImagePull", "r/x:1: not found")), {}, Reason.IMAGE_PULL, "r/x:1: not found"),
        (pod(waiting("ImagePullBackOff", "401 Unauthorized")), {}, Reason.IMAGE_PULL, "401 Unauthorized"),
        (pod(waiting("InvalidImageName")), {}, Reason.IMAGE_PULL, "InvalidImageName"),
        (pod(BACK_OFF, last={"exitCode": 3}, restarts=2), {}, Reason.CRASH_LOOP, "exits with code 3;"),
        (pod(BACK_OFF, last={"exitCode": 3}, restarts=2), {"last_log": "no db\n"}, Reason.CRASH_LOOP, "code 3: no db;"),
        (pod(BACK_OFF, last={"exitCode": 139}, restarts=2), {}, Reason.CRASH_LOOP, "killed by SIGSEGV"),
        (pod(RUNNING, last={"exitCode": 1}, restarts=1), {}, Reason.CRASH_LOOP, "exits with code 1"),
        (pod({"terminated": {"exitCode": 2}}), {}, Reason.CRASH_LOOP, "exits with code 2"),
        (pod(waiting("RunContainerError", "exec: no such file")), {}, Reason.CRASH_LOOP, "no such file"),
        (pod(BACK_OFF, last={"exitCode": 137, "reason": "OOMKilled"}, restarts=1), {}, Reason.OUT_OF_MEMORY, "64Mi"),
        (pod(waiting("CreateContainerConfigError", 'secret "s" not found')), {}, Reason.CONFIG_MISSING, 'secret "s"'),
        (pod(waiting("CreateContainerConfigError", "image will run as root")), {}, Reason.CRASH_LOOP, "run as root"),
        (
            pod(waiting("CreateContainerConfigError", 'configmap "hello-0123456789" not found')),
            {},
            Reason.CLUSTER_ERROR,
            "the operator puts it back",
        ),
        (pod(conditions=[NO_ROOM]), {}, Reason.UNSCHEDULABLE, "0/1 nodes: 1 no cpu;"),
        (pod(phase="Failed", reason="Evicted", message="low on disk"), {}, Reason.EVICTED, "low on disk"),
        (pod(phase="Failed", reason="Evicted", message=FULL), {}, Reason.EVICTED, "limits.ephemeral-storage"),
        (pod(phase="Failed", reason="NodeAffinity", message="no"), {}, Reason.CLUSTER_ERROR, "NodeAffinity"),
        (
            pod(waiting("ContainerCreating")),
            {"events": [event("FailedMount", 'secret "m" not found')]},
            Reason.MOUNT_FAILED,
            'secret "m" not found',
        ),
        (
            pod(RUNNING),
            {"readyz": {"state": "failed", "message": "SyntaxError: oh", "file": "main.py", "line": 3}},
            Reason.LOAD_FAILED,
            "main.py line 3: SyntaxError: oh",
        ),
        (
            pod(RUNNING, ports=["http"]),
            {"events": [event("Unhealthy", "dial tcp: refused", count=5)]},
            Reason.NOT_LISTENING,
            "$PORT",
        ),
    ],
)
def test_each_fault_is_told_with_its_own_text(given, evidence, reason, says):
    trouble = diagnosis.of_pod(given, Evidence(**evidence))
    assert (trouble.reason, trouble.revision, trouble.pod) == (reason, "0123456789", "hello-1")
    assert says in trouble.message
    assert trouble.message.endswith(".")


@pytest.mark.parametrize(
    "given",
    [
        pod(RUNNING, ready=True),
        pod(RUNNING, ready=True, last={"exitCode": 1}, restarts=4),
        pod(RUNNING),
        pod(waiting("ContainerCreating")),
        {**pod(BACK_OFF, last={"exitCode": 1}, restarts=1), "metadata": {"name": "x", "deletionTimestamp": "now"}},
        {"metadata": {"name": "x"}},
    ],
)
def test_a_pod_that_serves_or_may_yet_is_no_trouble(given):
    assert diagnosis.of_pod(given) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('pods "x" is forbidden: exceeded quota: q, requested: pods=1', Reason.QUOTA),
        ('pods "x" is forbidden: error looking up service account a/b: serviceaccount "b" not found', "ConfigMissing"),
        (
            'pods "x" is forbidden: unable to create new content in namespace n because it is being terminated',
            Reason.TERMINATING,
        ),
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest"', Reason.CLUSTER_ERROR),
    ],
)
def test_pods_that_cannot_be_created_are_told_from_the_replica_set(text, reason):
    condition = {"type": "ReplicaFailure", "status": "True", "message": text}
    trouble = diagnosis.of_replica_set({"status": {"conditions": [condition]}})
    assert trouble.reason == reason
    assert text[:40] in trouble.message


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("told", [lambda n: {"count": n}, lambda n: {"series": {"count": n}}])
def test_a_probe_or_two_that_failed_blame_nobody(count, told):
    evidence = Evidence(events=[event("Unhealthy", "dial tcp: refused", **told(count))])
    assert diagnosis.of_pod(pod(RUNNING, ports=["http"]), evidence) is None


@pytest.mark.parametrize("told", [{"count": 3}, {"series": {"count": 3}}, {"deprecatedCount": 3}])
def test_the_third_probe_that_failed_blames_the_container(told):
    evidence = Evidence(events=[event("Unhealthy", "dial tcp: refused", **told)])
    assert diagnosis.of_pod(pod(RUNNING, ports=["http"]), evidence).reason is Reason.NOT_LISTENING


def test_a_kubelet_that_was_too_busy_to_mount_and_tries_again_is_no_trouble():
    text = 'volume "source" : failed to sync configmap cache: timed out waiting for the condition'
    assert diagnosis.of_pod(pod(waiting("ContainerCreating")), Evidence(events=[event("FailedMount", text)])) is None


def test_a_kubelet_that_was_too_busy_to_read_the_source_and_tries_again_is_no_trouble():
    text = "failed to sync configmap cache: timed out waiting for the condition"
    assert diagnosis.of_pod(pod(waiting("CreateContainerConfigError", text))) is None


def test_a_pod_that_no_node_takes_while_a_warm_one_stands_in_for_it_is_no_trouble_but_others_pods_are():
    def refused(text):
        return pod(conditions=[{**NO_ROOM, "message": f"0/1 nodes are available: 1 node(s) {text}."}])

    assert diagnosis.of_pod(refused("didn't match pod anti-affinity rules")) is None
    assert diagnosis.of_pod(refused("didn't satisfy existing pods anti-affinity rules")).reason is Reason.UNSCHEDULABLE


def test_more_is_fetched_only_where_it_tells_more():
    assert diagnosis.needs(pod(RUNNING, ready=True)) == diagnosis.Needs()
    assert diagnosis.needs(pod(RUNNING)) == diagnosis.Needs(events=True, readyz=True)
    assert diagnosis.needs(pod(BACK_OFF, last={"exitCode": 1}, restarts=1)) == diagnosis.Needs(last_log=True)


@given(st.lists(st.builds(Trouble, st.sampled_from(list(diagnosis._WORST_FIRST)), st.text()), min_size=1))
def test_the_worst_trouble_does_not_depend_on_the_order(troubles):
    assert diagnosis.worst(troubles) == diagnosis.worst(reversed(troubles))


@given(st.text())
def test_no_text_of_a_cluster_breaks_the_sentence(text):
    trouble = diagnosis.of_pod(pod(waiting("ErrImagePull", text)))
    assert "\n" not in trouble.message
    assert len(trouble.message) < 700


def test_a_claimed_pod_that_nobody_has_adopted_is_asked_itself_whatever_its_kubelet_says():
    claimed = pod(RUNNING, ready=True)
    claimed["metadata"]["labels"]["kubewick.dev/claimed-by"] = "hello"
    assert diagnosis.needs(claimed) == diagnosis.Needs(readyz=True)
    assert diagnosis.of_pod(claimed, Evidence(readyz={"state": "ready"})) is None
    failed = Evidence(readyz={"state": "failed", "message": "oh", "file": "main.py", "line": 3})
    assert diagnosis.of_pod(claimed, failed).reason is Reason.LOAD_FAILED
    claimed["metadata"]["ownerReferences"] = [{"controller": True}]
    assert diagnosis.needs(claimed) == diagnosis.Needs()
    assert diagnosis.of_pod(claimed, failed) is None


def test_a_namespace_that_goes_is_not_waited_for():
    assert not Trouble(Reason.TERMINATING, "x").transient
