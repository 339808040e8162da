"""The Kubernetes backend against a real API server: what the router hears, and what it writes."""

import asyncio

import pytest

from cluster.meanwhile import meanwhile
from cluster.waiting import eventually_async
from wick_api.fault import Faults
from wick_api.names import Key
from wick_api.reason import Reason
from wick_kube.cluster import Cluster
from wick_kube.resource import DEPLOYMENTS, FUNCTIONS, PODS
from wick_router.kubernetes import KubernetesBackend
from wick_router.kubernetes.config import KubernetesConfig
from wick_router.kubernetes.decisions import failure


class Listening:
    """A sink that keeps the last word on everything."""

    def __init__(self):
        self.functions, self.sets, self.failures, self.in_touch = {}, {}, {}, None
        self.fallbacks, self.delays, self.faults = [], [], Faults()

    def function(self, function):
        self.functions[function.key] = function

    def function_gone(self, key):
        self.functions.pop(key, None)

    def instances(self, key, instances):
        self.sets[key] = list(instances)

    def failed(self, key, reason, message):
        self.failures[key] = (reason, message)

    def fell_back(self, key, reason):
        self.fallbacks.append((key, reason))

    def delayed(self, key, cause):
        self.delays.append((key, cause))

    def recovered(self, key):
        self.failures.pop(key, None)

    def synced(self, in_touch):
        self.in_touch = in_touch


@pytest.fixture
async def cluster(kubeconfig):
    async with await Cluster.connect(str(kubeconfig)) as connected:
        yield connected


@pytest.fixture
async def running(kubeconfig, namespace):
    sink = Listening()
    backend = KubernetesBackend(KubernetesConfig(namespaces=(namespace,), kubeconfig=str(kubeconfig)))
    async with meanwhile(backend.run(sink)):
        await hears(lambda: sink.in_touch)
        yield backend, sink


async def hears(condition):
    async def look():
        return condition()

    return await eventually_async(look)


def function(namespace):
    return {
        "apiVersion": "kubewick.dev/v1alpha1",
        "kind": "Function",
        "metadata": {"name": "hello", "namespace": namespace},
        "spec": {"source": {"inline": {"main.py": "def handle(): return 'hi'"}}},
    }


POD = {"containers": [{"name": "function", "image": "x", "ports": [{"name": "http", "containerPort": 9999}]}]}
LABELS = {"kubewick.dev/function": "hello", "kubewick.dev/revision": "abc"}


def deployment(namespace, replicas):
    template = {"metadata": {"labels": LABELS}, "spec": POD}
    selector = {"matchLabels": {"kubewick.dev/function": "hello"}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "hello", "namespace": namespace},
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    }


async def test_a_start_by_another_router_is_heard_of_when_its_pod_appears_and_when_it_serves(
    cluster, namespace, running
):
    backend, _ = running
    key, heard = Key(namespace, "hello"), []
    backend._activation.awaits = lambda key: heard.append(("starts", key))
    backend._activation.serves = lambda key: heard.append(("serves", key))
    await cluster.create(function(namespace), field_manager="test")
    await make_pod(cluster, namespace, phase="Pending")
    await hears(lambda: heard == [("starts", key)])
    ready = {"type": "Ready", "status": "True"}
    await set_status(cluster, namespace, podIP="10.1.2.3", podIPs=[{"ip": "10.1.2.3"}], conditions=[ready])
    await hears(lambda: heard[1:] and set(heard[1:]) == {("serves", key)})


async def make_pod(cluster, namespace, **status):
    metadata = {"name": "hello-1", "namespace": namespace, "labels": LABELS}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": POD}
    made = await cluster.create(pod, field_manager="test")
    await set_status(cluster, namespace, **status)
    return made["metadata"]["uid"]


async def set_status(cluster, namespace, **status):
    change = {"status": status}
    await cluster.patch(PODS, namespace, "hello-1", change, field_manager="kubelet", subresource="status")


async def test_a_function_is_heard_of_with_its_defaults_and_when_it_goes(cluster, namespace, running):
    _, sink = running
    key = Key(namespace, "hello")
    await cluster.create(function(namespace), field_manager="test")
    await hears(lambda: key in sink.functions)
    assert sink.functions[key].spec.concurrency == 10
    await cluster.delete(FUNCTIONS, namespace, "hello")
    await hears(lambda: key not in sink.functions)


async def test_a_pod_is_an_instance_as_soon_as_it_has_an_address(cluster, namespace, running):
    _, sink = running
    await cluster.create(function(namespace), field_manager="test")
    uid = await make_pod(cluster, namespace, phase="Running", podIP="10.1.2.3", podIPs=[{"ip": "10.1.2.3"}])
    (found,) = await hears(lambda: sink.sets.get(Key(namespace, "hello")))
    assert (found.id, found.host, found.port, found.revision, found.ready) == (uid, "10.1.2.3", 9999, "abc", False)


async def test_pods_that_were_there_first_are_instances_of_a_function_made_anew(cluster, namespace, running):
    _, sink = running
    key = Key(namespace, "hello")
    await make_pod(cluster, namespace, podIP="127.0.0.1")
    for _ in range(2):
        await cluster.create(function(namespace), field_manager="test")
        await hears(lambda: [each.host for each in sink.sets.get(key, ())] == ["127.0.0.1"])
        await cluster.delete(FUNCTIONS, namespace, "hello")
        await hears(lambda: key not in sink.functions)
        sink.sets.clear()


async def test_an_image_that_cannot_be_pulled_fails_the_function_until_it_can(cluster, namespace, running):
    _, sink = running
    key = Key(namespace, "hello")
    scheduled = {"type": "PodScheduled", "status": "True"}
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "manifest unknown"}}
    container = {"name": "function", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
    await make_pod(
        cluster,
        namespace,
        phase="Pending",
        conditions=[scheduled],
        containerStatuses=[{**container, "state": waiting}],
    )
    reason, message = await hears(lambda: sink.failures.get(key))
    assert reason is Reason.IMAGE_PULL
    assert "manifest unknown" in message
    ready = {"type": "Ready", "status": "True"}
    await set_status(cluster, namespace, phase="Running", conditions=[scheduled, ready])
    await hears(lambda: key not in sink.failures)


async def test_activation_scales_from_zero_to_one_and_never_from_anything_else(cluster, namespace, running):
    backend, _ = running
    await cluster.create(deployment(namespace, 0), field_manager="test")

    async def scaled_to(wanted):
        async def look():
            found = await cluster.get(DEPLOYMENTS, namespace, "hello")
            return found["spec"]["replicas"] == wanted

        await eventually_async(look)

    backend.activate(Key(namespace, "hello"))
    await scaled_to(1)
    await cluster.scale(namespace, "hello", 3, field_manager="test")
    await backend._activation._write(Key(namespace, "hello"))
    await scaled_to(3)


async def test_a_start_of_a_function_that_is_deleted_before_its_deployment_exists_ends(cluster, namespace, running):
    backend, sink = running
    key = Key(namespace, "hello")
    await cluster.create(function(namespace), field_manager="test")
    await hears(lambda: key in sink.functions)

    def starting():
        return any(task.get_name() == f"activate {key}" for task in asyncio.all_tasks())

    backend.activate(key)
    assert starting()
    await cluster.delete(FUNCTIONS, namespace, "hello")
    await hears(lambda: not starting())
    assert key not in sink.failures


async def test_two_routers_that_activate_at_once_do_no_harm(cluster, namespace, running):
    backend, sink = running
    await cluster.create(deployment(namespace, 0), field_manager="test")
    key = Key(namespace, "hello")
    await asyncio.gather(*(backend._activation._write(key) for _ in range(5)))
    assert (await cluster.get(DEPLOYMENTS, namespace, "hello"))["spec"]["replicas"] == 1
    assert not sink.failures


async def test_a_function_that_is_being_deleted_is_told_at_once_and_is_not_started(cluster, namespace, running):
    backend, sink = running
    key = Key(namespace, "hello")
    made = function(namespace)
    made["metadata"]["finalizers"] = ["example.com/holds"]
    await cluster.create(made, field_manager="test")
    await cluster.create(deployment(namespace, 0), field_manager="test")
    await hears(lambda: key in sink.functions)
    await cluster.delete(FUNCTIONS, namespace, "hello")
    await hears(lambda: sink.failures.get(key, ("",))[0] == Reason.TERMINATING)
    sink.failures.clear()
    backend.activate(key)
    await hears(lambda: key in sink.failures)
    assert (await cluster.get(DEPLOYMENTS, namespace, "hello"))["spec"]["replicas"] == 0
    release = {"metadata": {"finalizers": None}}
    await cluster.patch(FUNCTIONS, namespace, "hello", release, field_manager="test")


async def test_the_record_of_an_evicted_instance_is_no_reason_to_refuse(cluster, namespace, running):
    _, sink = running
    key = Key(namespace, "hello")
    await cluster.create(function(namespace), field_manager="test")
    await make_pod(cluster, namespace, phase="Failed", reason="Evicted", message="full")
    await hears(lambda: key in sink.functions)
    await asyncio.sleep(failure.PATIENCE + 1)  # that nothing is told can only be waited for
    assert key not in sink.failures
