"""Every reason for which an instance does not serve is read from the cluster into `status.why`."""

import asyncio
import json
import os
import threading
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from aiohttp import web

from cluster.kubectl import kubectl
from cluster.waiting import PATIENCE, eventually
from operating.world import condition, function

LABEL = "kubewick.dev/function=hello"


def the_pod(world, namespace):
    return eventually(lambda: world.list("pod", namespace, "-l", LABEL))[0]


def play_kubelet(world, namespace, state, address="10.0.0.1", **container):
    """Write a pod's status as its kubelet would."""
    pod = the_pod(world, namespace)
    name = pod["metadata"]["name"]
    if not pod["spec"].get("nodeName"):
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name},
            "target": {"apiVersion": "v1", "kind": "Node", "name": "n"},
        }
        kubectl(
            world.plane.kubeconfig,
            "create",
            "--raw",
            f"/api/v1/namespaces/{namespace}/pods/{name}/binding",
            "-f",
            "-",
            stdin=json.dumps(binding),
        )
    status = {
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [{"type": "PodScheduled", "status": "True"}],
        "containerStatuses": [
            {
                "name": "function",
                "image": "r.example/x:1",
                "imageID": "",
                "ready": False,
                "restartCount": 0,
                "state": state,
                **container,
            }
        ],
    }
    world.patch("pod", name, namespace, {"status": status}, "--subresource=status")
    return pod


OURS = f"127.{64 + os.getpid() // 250 % 128}.{os.getpid() % 250}.1"
"""A loopback address of this test run's own: a runtime's control port is always the same."""
WAITING = {"reason": "CrashLoopBackOff", "message": "back-off 10s"}


@pytest.mark.parametrize(
    ("state", "container", "reason", "says"),
    [
        (
            {"waiting": {"reason": "ErrImagePull", "message": "r.example/x:1: 403"}},
            {},
            "ImagePull",
            "r.example/x:1: 403",
        ),
        (
            {"waiting": WAITING},
            {"restartCount": 2, "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}}},
            "CrashLoop",
            "exits with code 3",
        ),
        (
            {"waiting": WAITING},
            {"restartCount": 1, "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}},
            "OutOfMemory",
            "memory limit of 256Mi",
        ),
        (
            {"waiting": {"reason": "CreateContainerConfigError", "message": "couldn't find key k in Secret a/b"}},
            {},
            "ConfigMissing",
            "couldn't find key k",
        ),
    ],
    ids=["pull", "crash", "memory", "config"],
)
def test_what_the_kubelet_says_is_told(operated, controlled_namespace, state, container, reason, says):
    operated.apply(controlled_namespace, function(scale={"min": 1, "initial": 1}))
    play_kubelet(operated, controlled_namespace, state, **container)
    status = operated.ready("hello", controlled_namespace, reason)
    assert says in status["why"]


def test_a_pod_without_a_node_is_told_with_the_scheduler_s_words(operated, controlled_namespace):
    operated.apply(controlled_namespace, function(scale={"min": 1, "initial": 1}))
    pod = the_pod(operated, controlled_namespace)
    refusal = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: no room"}
    status = {"status": {"conditions": [refusal]}}
    operated.patch("pod", pod["metadata"]["name"], controlled_namespace, status, "--subresource=status")
    assert "0/1 nodes: no room" in operated.ready("hello", controlled_namespace, "Unschedulable")["why"]


def test_a_quota_that_lets_no_pod_in_is_told(operated, controlled_namespace):
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none"},
        "spec": {"hard": {"pods": "0"}},
    }
    operated.apply(controlled_namespace, quota)
    eventually(lambda: operated.get("quota", "none", controlled_namespace).get("status", {}).get("hard"))
    operated.apply(controlled_namespace, function(scale={"min": 1, "initial": 1}))
    status = operated.ready("hello", controlled_namespace, "QuotaExceeded")
    assert "exceeded quota: none" in status["why"]


def test_a_volume_that_cannot_be_mounted_is_told_from_the_pod_s_events(operated, controlled_namespace):
    operated.apply(controlled_namespace, function(scale={"min": 1, "initial": 1}))
    pod = play_kubelet(operated, controlled_namespace, {"waiting": {"reason": "ContainerCreating"}})
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "mount"},
        "reason": "FailedMount",
        "message": 'MountVolume.SetUp failed for volume "x": no such thing',
        "involvedObject": {
            "kind": "Pod",
            "name": pod["metadata"]["name"],
            "namespace": controlled_namespace,
            "uid": pod["metadata"]["uid"],
        },
    }
    operated.apply(controlled_namespace, event)
    assert "no such thing" in operated.ready("hello", controlled_namespace, "MountFailed")["why"]


@contextmanager
def runtime(address, **answer):
    """What a runtime's control port says, on a loopback address that a pod will claim."""
    loop, ready = asyncio.new_event_loop(), threading.Event()

    async def readyz(_):
        return web.json_response(answer, status=503)

    async def serve():
        app = web.Application()
        app.router.add_get("/readyz", readyz)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, address, 8081).start()
        ready.set()
        return runner

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(serve(), loop).result(PATIENCE)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()


def test_code_that_does_not_load_is_told_by_the_runtime_with_file_and_line(operated, controlled_namespace):
    with runtime(OURS, state="failed", message="SyntaxError: invalid syntax", file="main.py", line=3):
        operated.apply(controlled_namespace, function(scale={"min": 1, "initial": 1}))
        running = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
        play_kubelet(operated, controlled_namespace, running, address=OURS)
        status = operated.ready("hello", controlled_namespace, "LoadFailed")
    assert "main.py line 3: SyntaxError: invalid syntax" in status["why"]
    assert condition(status, "DeploymentAvailable")["status"] == "False"


def test_a_broken_revision_leaves_the_old_one_serving_and_says_so(operated, controlled_namespace):
    operated.apply(controlled_namespace, function(scale={"min": 1, "initial": 1}))
    pod = play_kubelet(operated, controlled_namespace, {"running": {"startedAt": "2026-01-01T00:00:00Z"}})
    ready = [{"type": kind, "status": "True"} for kind in ("PodScheduled", "Ready", "ContainersReady")]
    name = pod["metadata"]["name"]
    operated.patch("pod", name, controlled_namespace, {"status": {"conditions": ready}}, "--subresource=status")
    old = operated.ready("hello", controlled_namespace, "Ready")["revision"]
    operated.apply(controlled_namespace, function(scale={"min": 1, "initial": 1}, handler="main:broken"))
    operated.ready("hello", controlled_namespace, "RollingOut")

    def fresh():
        pods = operated.list("pod", controlled_namespace, "-l", LABEL)
        return [each["metadata"]["name"] for each in pods if each["metadata"]["name"] != name]

    (broken,) = eventually(fresh)
    failed = {"name": "function", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
    failed["state"] = {"waiting": {"reason": "ErrImagePull", "message": "not found"}}
    status = {"status": {"containerStatuses": [failed]}}
    operated.patch("pod", broken, controlled_namespace, status, "--subresource=status")
    told = operated.ready("hello", controlled_namespace, "ImagePull")
    assert f"Revision {old} goes on serving." in told["why"]
    assert told["revision"] == old
    assert condition(told, "DeploymentAvailable")["status"] == "True"
    assert name in {each["metadata"]["name"] for each in operated.list("pod", controlled_namespace, "-l", LABEL)}


def test_an_eviction_for_ephemeral_storage_is_told_with_the_kubelet_s_words(operated, controlled_namespace):
    world, namespace = operated, controlled_namespace
    world.apply(namespace, function(scale={"initial": 1}))
    pod = the_pod(world, namespace)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    status = {
        "phase": "Failed",
        "reason": "Evicted",
        "message": "Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. ",
        "conditions": [{"type": "DisruptionTarget", "status": "True", "lastTransitionTime": now}],
    }
    world.patch("pod", pod["metadata"]["name"], namespace, {"status": status}, "--subresource=status")
    found = world.ready("hello", namespace, "Evicted")
    assert "total limit of containers 10Mi" in found["why"]
    assert "limits.ephemeral-storage" in found["why"]


def test_instances_that_somebody_else_counts_are_told_in_why(operated, controlled_namespace):
    world, namespace = operated, controlled_namespace
    world.apply(namespace, function())
    world.ready("hello", namespace)
    kubectl(world.plane.kubeconfig, "scale", "deployment/hello", "-n", namespace, "--replicas=1")
    world.status("hello", namespace, lambda status: "set by kubectl" in status.get("why", ""))
