"""The autoscaler's Kubernetes side against a real API server: Deployments, managed fields, status, Secrets."""

import asyncio
import base64
import json
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from cluster.kubectl import kubectl
from cluster.waiting import PATIENCE, eventually_async
from wick_api import names
from wick_api.function import parse
from wick_api.names import Key
from wick_autoscaler.decisions.decision import Decision, Seen, Why, decide
from wick_autoscaler.decisions.function_state import Track
from wick_autoscaler.decisions.scaler import NotScaled, Replicas
from wick_autoscaler.prometheus import Unanswered
from wick_kube.cluster import Cluster
from wick_kube.resource import AUTOSCALERS, DEPLOYMENTS, FUNCTIONS
from wick_operator.autoscaler.hpa import CompetingHpas
from wick_operator.autoscaler.kubernetes_scaler import KubernetesScaler
from wick_operator.autoscaler.report import Report
from wick_operator.autoscaler.secret import SecretReader
from wick_operator.leader.fenced_writer import FencedWriter


def function(namespace, **scale):
    return {
        "apiVersion": "kubewick.dev/v1alpha1",
        "kind": "Function",
        "metadata": {"name": "hello", "namespace": namespace},
        "spec": {"image": "x", "scale": scale},
    }


def deployment(namespace, replicas):
    labels = {"app": "hello"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "hello", "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "x"}]}},
        },
    }


class World:
    """One Function and its Deployment, read anew when asked; writes as the operator's fence makes them."""

    def __init__(self, cluster, namespace):
        self.cluster, self.key = cluster, Key(namespace, "hello")
        self.fence = FencedWriter(cluster, lambda: PATIENCE, PATIENCE)
        self.functions, self.deployments = {}, {}
        self.told = lambda _key: None

    def watch(self, told):
        self.told = told

    async def look(self):
        told = await self.cluster.get(FUNCTIONS, *self.key)
        self.told(self.key)
        found = await self.cluster.get(DEPLOYMENTS, *self.key)
        managers = [
            entry["manager"]
            for entry in found["metadata"]["managedFields"]
            if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
        ]
        self.functions = {self.key: SimpleNamespace(function=parse(told), stable=parse(told), invalid="")}
        shown = {"uid": found["metadata"]["uid"], "wanted": found["spec"]["replicas"], "ready": 0}
        self.deployments = {self.key: SimpleNamespace(**shown, managers=managers)}
        return told

    async def scale(self, namespace, name, replicas, *, seen, uid):
        await self.fence.scale(namespace, name, replicas, seen=seen, uid=uid)

    async def status(self, key, status, *, uid, version, manager):
        return await self.fence.status(key, status, uid=uid, version=version, manager=manager)

    def version(self, function):
        return function.metadata.resource_version

    async def create(self, manifest):
        return await self.cluster.create(manifest, field_manager=names.AUTOSCALER)


@pytest.fixture
async def world(kubeconfig, namespace):
    async with await Cluster.connect(str(kubeconfig)) as cluster:
        await cluster.create(function(namespace, max=20), field_manager="kubectl")
        await cluster.create(deployment(namespace, 1), field_manager=names.OPERATOR)
        made = World(cluster, namespace)
        await made.look()
        yield made


def platform(world, rival=lambda _key: ""):
    return KubernetesScaler(world, world, lambda _key: [], rival)


async def replicas(world, platform):
    await world.look()
    return platform.replicas(world.key)


async def scale(scaler, world, count, *, seen):
    uid = world.deployments[world.key].uid
    await scaler.scale(world.key, Decision(count, Why.STEADY, 1.0), Replicas(wanted=seen, ready=0, uid=uid))


async def test_scaling_writes_the_replicas_under_its_own_name(world):
    scaler = platform(world)
    await scale(scaler, world, 4, seen=1)
    seen = await replicas(world, scaler)
    assert (seen.wanted, seen.others) == (4, "")
    assert names.AUTOSCALER in world.deployments[world.key].managers


async def test_kubectl_scale_is_honoured_until_the_function_is_edited(world, kubeconfig):
    scaler = platform(world)
    await scale(scaler, world, 4, seen=1)
    kubectl(kubeconfig, "-n", world.key.namespace, "scale", "deployment/hello", "--replicas=7")
    seen = await replicas(world, scaler)
    assert (seen.wanted, seen.others) == (7, "kubectl")
    assert decide(parse(function("n")).spec.scale, Seen(7, 7, others=seen.others)).replicas == 7
    kubectl(
        kubeconfig, "-n", world.key.namespace, "patch", "fn/hello", "--type=merge", '-p={"spec":{"scale":{"max":5}}}'
    )
    assert (await replicas(world, scaler)).others == ""


def hpa(namespace):
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "mine", "namespace": namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "hello"},
            "maxReplicas": 5,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
                }
            ],
        },
    }


async def test_an_hpa_is_honoured_from_its_creation_to_its_deletion(world):
    rivals = CompetingHpas(world.cluster, [world.key.namespace])
    scaler, heard = platform(world, rivals.of), []
    rivals.watch(heard.append)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(mirror.run()) for mirror in rivals.mirrors]
        await eventually_async(lambda: others(world, scaler, ""))
        await world.cluster.create(hpa(world.key.namespace), field_manager="kubectl")
        await eventually_async(lambda: others(world, scaler, "HorizontalPodAutoscaler mine"))
        assert set(heard) == {world.key}
        heard.clear()
        await world.cluster.scale(*world.key, 3, field_manager="kube-controller-manager")
        await world.cluster.delete(AUTOSCALERS, world.key.namespace, "mine")
        await eventually_async(lambda: others(world, scaler, ""))
        assert set(heard) == {world.key}
        for task in running:
            task.cancel()


async def others(world, scaler, wanted):
    assert (await replicas(world, scaler)).others == wanted
    return True


async def test_kubectl_scale_to_zero_is_like_going_idle(world, kubeconfig):
    """The API server keeps no manager of a zero written through /scale, so nobody can tell whose it was."""
    scaler = platform(world)
    kubectl(kubeconfig, "-n", world.key.namespace, "scale", "deployment/hello", "--replicas=0")
    seen = await replicas(world, scaler)
    assert (seen.wanted, seen.others) == (0, "")


async def test_kubectl_scale_to_zero_ends_the_claim_to_initial_instances(world, kubeconfig):
    kubectl(
        kubeconfig,
        "-n",
        world.key.namespace,
        "patch",
        "fn/hello",
        "--type=merge",
        '-p={"spec":{"scale":{"initial":1}}}',
    )
    scaler = platform(world)
    assert (await replicas(world, scaler)).fresh
    kubectl(kubeconfig, "-n", world.key.namespace, "scale", "deployment/hello", "--replicas=0")
    assert not (await replicas(world, scaler)).fresh


async def test_a_zero_of_its_own_has_its_name(world):
    await scale(platform(world), world, 0, seen=1)
    await world.look()
    assert world.deployments[world.key].managers == [names.AUTOSCALER]


async def test_a_decision_on_an_old_number_overwrites_nobodys(world, kubeconfig):
    scaler = platform(world)
    kubectl(kubeconfig, "-n", world.key.namespace, "scale", "deployment/hello", "--replicas=7")
    with pytest.raises(NotScaled):
        await scale(scaler, world, 4, seen=1)
    assert (await replicas(world, scaler)).wanted == 7


async def test_a_first_instance_for_requests_is_left_to_the_router_for_a_while_and_one_for_others_is_not(world):
    await world.cluster.scale(*world.key, 0, field_manager=names.AUTOSCALER)
    await world.look()
    now = 0.0
    scaler = KubernetesScaler(world, world, lambda _key: [], lambda _key: "", lambda: now)
    nothing = Replicas(wanted=0, ready=0, uid=world.deployments[world.key].uid)
    await scaler.scale(world.key, Decision(1, Why.ACTIVATION, 1.0), nothing)
    now = 7.0
    await scaler.scale(world.key, Decision(1, Why.ACTIVATION, 1.0), nothing)
    assert (await replicas(world, scaler)).wanted == 0
    now = 9.0
    await scaler.scale(world.key, Decision(1, Why.ACTIVATION, 1.0), nothing)
    assert (await replicas(world, scaler)).wanted == 1
    await world.cluster.scale(*world.key, 0, field_manager=names.AUTOSCALER)
    await scaler.scale(world.key, Decision(1, Why.MIN, 1.0), nothing)
    assert (await replicas(world, scaler)).wanted == 1


async def test_what_the_router_starts_is_nobody_elses(world, kubeconfig):
    scaler = platform(world)
    kubectl(kubeconfig, "-n", world.key.namespace, "scale", "deployment/hello", "--replicas=3")
    assert (await replicas(world, scaler)).others == "kubectl"
    await world.cluster.scale(*world.key, 1, field_manager=names.ROUTER)
    assert (await replicas(world, scaler)).others == ""


async def test_a_deleted_deployment_is_no_trouble_and_a_refusal_is_told(world):
    scaler = platform(world)
    with pytest.raises(NotScaled):
        await scale(scaler, world, -1, seen=1)
    await world.cluster.delete(DEPLOYMENTS, *world.key)
    await scale(scaler, world, 4, seen=1)


@asynccontextmanager
async def reporting(world):
    report = Report(world, event, time.monotonic, world.version)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(report.run())
        yield report
        task.cancel()


def event(function, said, text):
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "hello.", "namespace": function.key.namespace},
        "involvedObject": {"kind": "Function", "name": "hello", "namespace": function.key.namespace},
        "type": said.type,
        "reason": said.reason,
        "message": text,
    }


async def test_decisions_reach_the_status_and_become_one_event(world, kubeconfig):
    track = Track(world.functions[world.key].function, 0)
    wall = datetime(2026, 11, 21, 12, tzinfo=UTC)

    async def scaled():
        return (await world.look()).get("status", {}).get("scale")

    async def posted():
        return json.loads(kubectl(kubeconfig, "-n", world.key.namespace, "get", "events", "-o", "json"))["items"]

    async with reporting(world) as report:
        for count in (5, 6, 7):
            decision = Decision(count, Why.STEADY, 1.0)
            track.remember(0, wall, Seen(1, 1), decision)
            report.decided(track, track.decided[-1])
        scale = await eventually_async(scaled, every=0.1)
        assert (scale["replicas"], len(scale["decisions"])) == (7, 3)
        assert [one["reason"] for one in await eventually_async(posted, every=0.1)] == ["ScaledUp"]


async def test_a_secret_becomes_headers(world):
    await world.cluster.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "login", "namespace": world.key.namespace},
            "data": {"token": base64.b64encode(b"abc\n").decode()},
        },
        field_manager="kubectl",
    )
    secrets = SecretReader(world.cluster, time.monotonic)
    assert (await secrets.access(world.key.namespace, "login")).headers == {"Authorization": "Bearer abc"}
    with pytest.raises(Unanswered, match="secret none"):
        await secrets.access(world.key.namespace, "none")
