"""`KubernetesBackend`: facts from the API server to the router's sink, and starts the other way.

Facts per function are gathered in `_Seen`; each change recomputes what the sink should hear by the pure functions of
`pod` and `failure`. What a pod's manifest does not say is fetched beside (`inquiry`), so that the sink hears the cause
within a second or two of its being knowable.
"""

import asyncio
import logging
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import msgspec
from msgspec import Raw, Struct, field

from wick_api import diagnosis, names
from wick_api.diagnosis import Trouble
from wick_api.fault import Faults
from wick_api.function import Function, decode_scalar
from wick_api.names import Key
from wick_api.settings import SettingInvalid
from wick_api.warm import Obstacle
from wick_kube.cluster import Cluster
from wick_kube.reflector import Address, Reflector
from wick_kube.resource import FUNCTIONS, NAMESPACES, PODS, REPLICA_SETS, Resource
from wick_kube.stream import plain
from wick_router.backend import Instance, Sink
from wick_router.kubernetes.activation import Activation
from wick_router.kubernetes.config import KubernetesConfig
from wick_router.kubernetes.decisions import failure
from wick_router.kubernetes.decisions.failure import HopelessWait
from wick_router.kubernetes.decisions.outcome import WarmStarted
from wick_router.kubernetes.decisions.pod import at_zero, ended, instance, key
from wick_router.kubernetes.inquiry import Inquiries
from wick_router.kubernetes.readiness_probe import EarlyReadiness
from wick_router.kubernetes.warm_pods import WarmPods
from wick_router.kubernetes.warm_start import WarmStarts

log = logging.getLogger(__name__)

Manifest = Mapping[str, Any]

TICK = 0.5
"""Seconds between two looks at functions in trouble and at whether the watches are open."""

FORGIVE = 10.0
"""Seconds for which a failed start speaks for the next ones: each further try may cost a warm pod."""

_function = msgspec.json.Decoder(Function, dec_hook=decode_scalar)


class _Seen(Struct):
    """Everything known of one function."""

    function: Function | None = None
    pods: dict[str, Manifest] = field(default_factory=dict)
    replica_sets: dict[str, Manifest] = field(default_factory=dict)
    evidence: dict[str, diagnosis.Evidence] = field(default_factory=dict)
    started: dict[str, WarmStarted] = field(default_factory=dict)
    """Warm pods this router started the function in, by uid."""
    told: tuple[Instance, ...] = ()
    failure: HopelessWait | None = None
    since: float | None = None


class KubernetesBackend:
    """See the module; one for each router process."""

    def __init__(self, config: KubernetesConfig | None = None, *, namespace_labels: bool = False) -> None:
        """`namespace_labels`: tell the sink of namespaces; it needs rights on them in the whole cluster."""
        self._config = config or KubernetesConfig.from_environment(os.environ)
        if namespace_labels and self._config.namespaces:
            raise SettingInvalid(
                "WICK_KUBERNETES_NAMESPACES: WICK_ROUTER_HOSTS goes by labels, which takes rights on all"
            )
        self._namespace_labels = namespace_labels
        self._seen: dict[Key, _Seen] = {}
        self._troubled: set[Key] = set()
        self._pods: dict[str, Key] = {}
        self._reflectors: list[Reflector[Any]] = []
        self._sink: Sink
        self._cluster: Cluster
        self._activation: Activation
        self._early: EarlyReadiness | None = None
        self._warm = WarmPods(self._unready)
        self._claims: WarmStarts | None = None
        self._prefetches: set[asyncio.Task[None]] = set()
        self._inquiries: Inquiries
        self._faults = Faults()

    async def run(self, sink: Sink) -> None:
        """Connect and report until cancelled; every task made here ends with it."""
        self._sink, self._faults = sink, sink.faults
        async with AsyncExitStack() as stack:
            self._cluster = await stack.enter_async_context(await Cluster.connect(self._config.kubeconfig))
            session = await stack.enter_async_context(aiohttp.ClientSession())
            self._cluster.fault = self._caught
            if self._config.pool_key:
                self._claims = WarmStarts(self._cluster, self._warm, self._config.pool_key)
                self._early = EarlyReadiness(session, self._warm.waits)
                stack.push_async_callback(self._early.close)
            self._activation = Activation(self._cluster, self, self._claims)
            stack.push_async_callback(self._activation.close)
            self._inquiries = Inquiries(self._cluster, session, self._learnt)
            stack.push_async_callback(self._inquiries.close)
            async with asyncio.TaskGroup() as tasks:
                if self._namespace_labels:
                    namespaces = Reflector(self._cluster, NAMESPACES, _Namespaces(sink), decode=_read_labels)
                    self._reflectors.append(namespaces)
                    tasks.create_task(namespaces.run())
                for namespace in self._config.namespaces or (None,):
                    for reflector in self._watch(namespace):
                        self._reflectors.append(reflector)
                        tasks.create_task(reflector.run())
                tasks.create_task(self._tick())

    def activate(self, key: Key) -> None:
        """Scale the function's Deployment from 0 to 1; the pod, or why there is none, arrives through the watches."""
        seen = self._seen.get(key)
        if seen and seen.function and not seen.pods and (said := failure.stated(seen.function)):
            asyncio.get_running_loop().call_soon(self._sink.failed, key, said.reason, said.message)
        else:
            self._activation.start(key)

    def _watch(self, namespace: str | None) -> tuple[Reflector[Any], ...]:
        warm = (Reflector(self._cluster, PODS, self._warm, namespace=namespace, labels=names.POOL),)
        return (
            *(warm if self._claims else ()),
            Reflector(self._cluster, FUNCTIONS, _Functions(self), namespace=namespace, decode=_read_function),
            Reflector(self._cluster, PODS, _Pods(self), namespace=namespace, labels=names.FUNCTION),
            Reflector(self._cluster, REPLICA_SETS, _ReplicaSets(self), namespace=namespace, labels=names.FUNCTION),
        )

    # What the listeners call

    def seen(self, key: Key) -> _Seen:
        """What is known of a function; made on first mention."""
        return self._seen.setdefault(key, _Seen())

    def function_changed(self, function: Function) -> None:
        """Pass it on, and judge anew: its status may say why it cannot run."""
        seen = self.seen(function.key)
        before, seen.function = seen.function, function
        self._prefetch(before, function)
        self._sink.function(function)
        if before is None:
            self._report(function.key)  # its pods may have been seen first, or be left from one of the same name
        seen.failure = None  # the sink forgets it with every new version
        self.judge(function.key)

    def function_gone(self, key: Key) -> None:
        """Its pods follow by themselves, through garbage collection."""
        seen = self.seen(key)
        seen.function, seen.told = None, ()
        self._activation.serves(key)
        self._sink.function_gone(key)
        self._forget_if_empty(key)

    def pod_changed(self, key: Key, pod: Manifest) -> None:
        """A pod appeared or changed."""
        uid, seen = pod["metadata"]["uid"], self.seen(key)
        new = uid not in seen.pods
        seen.pods[uid] = pod
        self._pods[uid] = key
        self._report(key)
        if new and at_zero(seen.told):
            self._activation.awaits(key)  # its Deployment starts it, whichever router asked for that
        self.judge(key)

    def pod_gone(self, key: Key, pod: Manifest) -> None:
        """A pod is gone."""
        seen, uid = self.seen(key), pod["metadata"]["uid"]
        seen.pods.pop(uid, None)
        seen.evidence.pop(uid, None)
        seen.started.pop(uid, None)
        self._pods.pop(uid, None)
        self._inquiries.forget(uid)
        self._report(key)
        self.judge(key)
        self._forget_if_empty(key)

    def replica_set_changed(self, key: Key, replica_set: Manifest) -> None:
        """Its conditions say whether pods could be created at all."""
        self.seen(key).replica_sets[replica_set["metadata"]["uid"]] = replica_set
        self.judge(key)

    def replica_set_gone(self, key: Key, replica_set: Manifest) -> None:
        """A ReplicaSet is gone."""
        self.seen(key).replica_sets.pop(replica_set["metadata"]["uid"], None)
        self.judge(key)
        self._forget_if_empty(key)

    def _forget_if_empty(self, key: Key) -> None:
        seen = self._seen.get(key)
        if seen and seen.function is None and not seen.pods and not seen.replica_sets:
            del self._seen[key]
            self._troubled.discard(key)

    # What the sink hears

    def _report(self, key: Key) -> None:
        seen = self._seen[key]
        instances = tuple(found for uid, pod in seen.pods.items() if (found := instance(pod, seen.started.get(uid))))
        if any(each.ready for each in instances):
            self._activation.serves(key)
        if seen.function is not None and instances != seen.told:
            seen.told = instances
            self._sink.instances(key, instances)

    def judge(self, key: Key) -> None:
        """Compare what the sink was told of failures with what is so now."""
        seen = self._seen[key]
        troubles = [*self._pod_troubles(seen), *self._replica_set_troubles(seen)]
        now = asyncio.get_running_loop().time()
        if not troubles:
            seen.since = None
        elif seen.since is None:
            seen.since = now
        lasted = now - seen.since if seen.since is not None else 0.0
        found = failure.decide(seen.function, list(seen.pods.values()), troubles, lasted)
        if found != seen.failure:
            seen.failure = found
            if found:
                self._sink.failed(key, found.reason, found.message)
            else:
                self._sink.recovered(key)
        watched = [self._inquiries.consider(pod, now) for pod in seen.pods.values()]
        if troubles or any(watched):
            self._troubled.add(key)
        else:
            self._troubled.discard(key)

    def _pod_troubles(self, seen: _Seen) -> list[Trouble]:
        """Of those that are there; what has ended, such as an evicted one, has a successor that may serve."""
        there = ((uid, pod) for uid, pod in seen.pods.items() if not ended(pod))
        found = (diagnosis.of_pod(pod, seen.evidence.get(uid)) for uid, pod in there)
        return [trouble for trouble in found if trouble]

    def _replica_set_troubles(self, seen: _Seen) -> list[Trouble]:
        wanted = (each for each in seen.replica_sets.values() if each.get("spec", {}).get("replicas"))
        return [trouble for each in wanted if (trouble := diagnosis.of_replica_set(each))]

    # What activations ask and tell

    def wanted(self, key: Key) -> Function | None:
        """The function as last seen."""
        seen = self._seen.get(key)
        return seen.function if seen else None

    def started(self, key: Key, started: WarmStarted) -> None:
        """A warm pod serves the function: known here before the watch tells."""
        uid = started.pod["metadata"]["uid"]
        self.seen(key).started[uid] = started
        self.pod_changed(key, self._seen[key].pods.get(uid, started.pod))

    def lost(self, key: Key, started: WarmStarted) -> None:
        """A pod the watch never told of as this function's, since its claim was never written, is gone."""
        self.pod_gone(key, started.pod)

    def fell_back(self, key: Key, obstacle: Obstacle) -> None:
        """Count and show it."""
        self._sink.fell_back(key, obstacle)

    def delayed(self, key: Key, cause: str) -> None:
        """Requests that time out meanwhile are told."""
        self._sink.delayed(key, cause)

    def cannot_start(self, key: Key, found: HopelessWait) -> None:
        """Tell the sink; what it says holds until the function or its pods change, or for a while."""
        log.warning("%s: %s", key, found.message)
        self._sink.failed(key, found.reason, found.message)
        asyncio.get_running_loop().call_later(FORGIVE, self._forgive, key)

    def _forgive(self, key: Key) -> None:
        """Let the next request try again, unless the pods themselves say why it would fail."""
        seen = self._seen.get(key)
        if seen and seen.failure is None:
            self._sink.recovered(key)

    def fault(self, border: str, key: Key, error: Exception) -> str:
        """Count a defect and log it; the sentence that tells of it."""
        return self._faults.caught(border, key, error)

    def _caught(self, resource: Resource, address: Address, error: Exception) -> None:
        self._faults.counted(f"mirror of {resource.kind}", "/".join(address), error)

    def _prefetch(self, before: Function | None, function: Function) -> None:
        """Read a new revision when it appears, not when it is needed; not the old ones of every function at start."""
        revision = function.status.get("revision")
        if self._claims and before and revision and before.status.get("revision") != revision:
            task = asyncio.create_task(self._claims.prefetch(function), name=f"prefetch {function.key}")
            self._prefetches.add(task)
            task.add_done_callback(self._prefetches.discard)

    def _learnt(self, uid: str, found: diagnosis.Evidence) -> None:
        key = self._pods.get(uid)
        if key is not None and self._seen[key].evidence.get(uid) != found:
            self._seen[key].evidence[uid] = found
            self.judge(key)

    def _unready(self, pod: Manifest) -> None:
        if self._early is not None:
            self._early.ask(pod)

    async def _tick(self) -> None:
        """Look again at what only time or a fetch can change, and say when the view is current."""
        told = None
        while True:
            for troubled in tuple(self._troubled):
                with self._faults.border("judgement of its pods", troubled):
                    self.judge(troubled)
            in_touch = all(reflector.in_touch for reflector in self._reflectors)
            if in_touch != told:
                told = in_touch
                self._sink.synced(in_touch)
            await asyncio.sleep(TICK)


class _Functions:
    def __init__(self, backend: KubernetesBackend) -> None:
        self._backend = backend

    def changed(self, address: Address, new: Function | None, _old: Function | None) -> None:
        if new is None:
            log.error("Function %s/%s cannot be read by this version; it is not served", *address)
        else:
            self._backend.function_changed(new)

    def deleted(self, address: Address, _old: Function | None) -> None:
        self._backend.function_gone(Key(*address))


class _Pods:
    def __init__(self, backend: KubernetesBackend) -> None:
        self._backend = backend

    def changed(self, _: Address, new: Manifest, old: Manifest | None) -> None:
        if old and key(old) != key(new):
            self._backend.pod_gone(key(old), old)
        self._backend.pod_changed(key(new), new)

    def deleted(self, _: Address, old: Manifest) -> None:
        self._backend.pod_gone(key(old), old)


class _ReplicaSets:
    def __init__(self, backend: KubernetesBackend) -> None:
        self._backend = backend

    def changed(self, _: Address, new: Manifest, _old: Manifest | None) -> None:
        self._backend.replica_set_changed(key(new), new)

    def deleted(self, _: Address, old: Manifest) -> None:
        self._backend.replica_set_gone(key(old), old)


class _Namespaces:
    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def changed(self, address: Address, new: Mapping[str, str], old: Mapping[str, str] | None) -> None:
        if new != old:
            self._sink.namespace(address[1], new)

    def deleted(self, address: Address, _old: Mapping[str, str]) -> None:
        self._sink.namespace(address[1], {})


def _read_labels(raw: Raw) -> Mapping[str, str]:
    labels: Mapping[str, str] = plain(raw).get("metadata", {}).get("labels", {})
    return labels


def _read_function(raw: Raw) -> Function | None:
    """A Function, or None for one this version cannot read (made for a newer CRD): others must not suffer from it."""
    try:
        return _function.decode(raw)
    except msgspec.ValidationError:
        log.exception("a Function cannot be read: %s", plain(raw).get("metadata", {}).get("name"))
        return None
