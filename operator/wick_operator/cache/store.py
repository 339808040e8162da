"""All the operator knows of the cluster: Functions, told by kopf, and their children, mirrored by reflectors.

Whatever changes ends in `enqueue(key, delay)`, the one way anything is reconciled; the delays collect bursts. It all
lives in one event loop.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from msgspec import Raw, Struct, structs

from wick_api import names
from wick_api.function import Function, FunctionMetadata, FunctionSpec, SpecInvalid, parse
from wick_api.hosts import by_label
from wick_api.names import Key
from wick_api.routing import HostPolicy, Table
from wick_kube.cluster import Cluster
from wick_kube.reflector import Address, Reflector
from wick_kube.resource import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS, REPLICA_SETS, SECRETS, SERVICES
from wick_kube.stream import plain
from wick_operator.observed import snapshot
from wick_operator.observed.reference import Reference
from wick_operator.observed.snapshot import KeptRevision, owned

T = TypeVar("T")
Mirrored = snapshot.Deployment | snapshot.ChildSnapshot | snapshot.ConfigObject | Mapping[str, Any]
"""A child, or the operator's part of a Function's status."""

_SOON = 0.05
"""Seconds in which changes of a child are collected."""
_PODS_SOON = 0.1
_FOREIGN_SECRETS = "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token"
"""Secrets that are never a function's environment and may be large."""


ALL_WELCOME = HostPolicy()
"""No namespace is left alone, and each may use every host."""


class FunctionEntry(Struct, frozen=True):
    """A Function as last told."""

    function: Function
    invalid: str = ""
    """Why its spec cannot be used; `function` then has the default one."""
    stable: Function | None = None
    """The Function without a fresh status: the same object until spec or metadata change. None where invalid."""


def known(manifest: Mapping[str, Any]) -> FunctionEntry:
    """Read a Function; one that cannot be parsed is known by its metadata."""
    manifest = {**manifest, "status": snapshot.status(manifest.get("status", {}))}
    try:
        function = parse(manifest)
    except SpecInvalid as error:
        metadata = manifest["metadata"]
        bare = FunctionMetadata(
            name=metadata["name"],
            namespace=metadata["namespace"],
            uid=metadata["uid"],
            generation=metadata.get("generation", 0),
            resource_version=metadata.get("resourceVersion", ""),
            creation_timestamp=metadata["creationTimestamp"],
            deletion_timestamp=metadata.get("deletionTimestamp"),
        )
        return FunctionEntry(Function(metadata=bare, spec=FunctionSpec(), status=manifest["status"]), str(error))
    return FunctionEntry(function, stable=function)


class Store:
    """See the module."""

    def __init__(self, enqueue: Callable[[Key, float], None], policy: HostPolicy = ALL_WELCOME) -> None:
        """`policy` names the namespaces that are left alone, and decides whose routes count."""
        self._enqueue, self._policy = enqueue, policy
        self.functions: dict[Key, FunctionEntry] = {}
        self.table = Table(policy)
        self.deployments: dict[Key, snapshot.Deployment] = {}
        self.services: dict[Key, snapshot.ChildSnapshot] = {}
        self.pods: defaultdict[Key, dict[str, snapshot.PodSnapshot]] = defaultdict(dict)
        self.replica_sets: defaultdict[Key, dict[str, snapshot.ReplicaSet]] = defaultdict(dict)
        self.kept: defaultdict[Key, dict[str, snapshot.ConfigObject]] = defaultdict(dict)
        """A function's revisions by the name of their ConfigMap."""
        self.config: dict[tuple[str, str, str], str] = {}
        """Digests of ConfigMaps and Secrets, by kind, namespace and name."""
        self._users: defaultdict[tuple[str, str, str], set[Key]] = defaultdict(set)
        self._uses: dict[Key, frozenset[tuple[str, str, str]]] = {}
        self._expected: defaultdict[Key, dict[tuple[str, str], Mirrored]] = defaultdict(dict)
        """By kind and name: what our own writes made, until the mirror tells something."""
        self._reflectors: list[Reflector[Any]] = []
        self._watchers: list[Callable[[Key], None]] = []

    def watch(self, told: Callable[[Key], None]) -> None:
        """`told` hears of each Function and each Deployment that came, changed (other than by its status) or went."""
        self._watchers.append(told)

    def tell(self, key: Key) -> None:
        """A Function or its Deployment changed."""
        for told in self._watchers:
            told(key)

    def mirror(self, cluster: Cluster, namespaces: Iterable[str | None]) -> None:
        """Add the reflectors for these namespaces, None meaning all; `run` runs them."""
        ours = names.FUNCTION
        if by_label(self._policy.hosts):
            self._reflectors.append(Reflector(cluster, NAMESPACES, _Namespaces(self), decode=_labels))
        for namespace in namespaces:
            for resource, listener, labels, fields, decode in (
                (DEPLOYMENTS, _Deployments(self), ours, "", snapshot.deployment),
                (SERVICES, _Services(self), ours, "", snapshot.service),
                (REPLICA_SETS, _ReplicaSets(self), ours, "", snapshot.replica_set),
                (PODS, _Pods(self), ours, "", snapshot.pod),
                (CONFIG_MAPS, _Configs(self, "ConfigMap"), "", "", snapshot.config),
                (SECRETS, _Configs(self, "Secret"), "", _FOREIGN_SECRETS, snapshot.config),
            ):
                reflector: Reflector[Any] = Reflector(
                    cluster, resource, listener, namespace=namespace, labels=labels, fields=fields, decode=decode
                )
                self._reflectors.append(reflector)

    async def run(self) -> None:
        """Mirror until cancelled."""
        async with asyncio.TaskGroup() as group:
            for reflector in self._reflectors:
                group.create_task(reflector.run())

    async def synced(self) -> None:
        """Return once every mirror is complete."""
        for reflector in self._reflectors:
            await reflector.synced.wait()

    def told(self, manifest: Mapping[str, Any], *, gone: bool) -> None:
        """kopf saw a Function, or saw it go."""
        key = Key(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        if key.namespace in self._policy.excluded:
            return
        if gone:
            self.gone(key, manifest["metadata"]["uid"])
            return
        before, now = self.functions.get(key), known(manifest)
        same = before is not None and _same_but_status(before.function, now.function) and before.invalid == now.invalid
        if before and same:
            one = Function(metadata=now.function.metadata, spec=before.function.spec, status=now.function.status)
            self.functions[key] = FunctionEntry(
                one, now.invalid, before.stable
            )  # one spec is kept, not two that are equal
            status = owned(now.function.status)
            if owned(before.function.status) == status or not self.is_news(key, names.KIND, key.name, status):
                return  # the echo of our own status, or the autoscaler's part of it
        else:
            self.functions[key] = now
            self.tell(key)
            affected = self.table.drop(key) if now.invalid else self.table.put(now.function)
            for other in affected:
                self._enqueue(other, _SOON)
        self._enqueue(key, 0.0)

    def gone(self, key: Key, uid: str) -> None:
        """A Function was deleted, or turned out to be missing."""
        if key in self.functions and self.functions[key].function.metadata.uid == uid:
            del self.functions[key]
            self.tell(key)
            for other in self.table.drop(key):
                self._enqueue(other, _SOON)
            self.uses(key, ())
            self._expected.pop(key, None)
            self._enqueue(key, 0.0)

    def mirrored(self, key: Key, kind: str, name: str) -> Mirrored | None:
        """A function's status or one of its children, as last told."""
        if kind == names.KIND:
            return owned(self.functions[key].function.status) if key in self.functions else None
        if kind == "Deployment":
            return self.deployments.get(key)
        return self.services.get(key) if kind == "Service" else self.kept.get(key, {}).get(name)

    def expect(self, key: Key, kind: str, name: str, told: Mirrored) -> None:
        """Our own write of this: when the mirror tells of it, that is no news."""
        if key in self.functions and self.mirrored(key, kind, name) != told:
            self._expected[key][kind, name] = told

    def is_news(self, key: Key, kind: str, name: str, told: Mirrored) -> bool:
        """Whether what a mirror tells is more than the echo of our own write; asked once for each."""
        expected = self._expected.get(key, {}).pop((kind, name), None)
        if not self._expected.get(key):
            self._expected.pop(key, None)
        return bool(expected is None or expected != told)

    def version(self, function: Function) -> str:
        """The resource version of this very Function as last told or written; empty where another has its name."""
        entry = self.functions.get(function.key)
        same = entry is not None and entry.function.metadata.uid == function.metadata.uid
        return entry.function.metadata.resource_version if entry and same else ""

    def wrote(self, key: Key, answer: Mapping[str, Any]) -> None:
        """Our own write of a status, known before the API server tells."""
        entry = self.functions.get(key)
        if entry and entry.function.metadata.uid == answer["metadata"]["uid"]:
            function = entry.function
            metadata = structs.replace(function.metadata, resource_version=answer["metadata"]["resourceVersion"])
            told = Function(metadata=metadata, spec=function.spec, status=answer.get("status", {}))
            self.functions[key] = FunctionEntry(told, entry.invalid, entry.stable)

    def uses(self, key: Key, references: Iterable[Reference]) -> None:
        """Which Secrets and ConfigMaps a function depends on, so that it hears of their changes."""
        wanted = frozenset((each.kind, key.namespace, each.name) for each in references)
        for former in self._uses.pop(key, frozenset()) - wanted:
            self._users[former].discard(key)
            if not self._users[former]:
                del self._users[former]
        for each in wanted:
            self._users[each].add(key)
        if wanted:
            self._uses[key] = wanted

    def live_pods(self, key: Key) -> list[snapshot.PodSnapshot]:
        """Instances that are not going away, by name."""
        return [pod for _, pod in sorted(self.pods.get(key, {}).items()) if not pod.leaving]

    def ended_pods(self, key: Key) -> list[snapshot.PodSnapshot]:
        """Instances that ended and were left as a record, such as evicted ones."""
        return [pod for pod in self.pods.get(key, {}).values() if pod.ended]

    def metrics_urls(self, key: Key) -> list[str]:
        """Where the ready instances' own metrics are."""
        return [pod.metrics for pod in self.live_pods(key) if pod.ready and pod.metrics]

    def revisions(self, key: Key, uid: str) -> list[KeptRevision]:
        """Revisions kept by this very Function."""
        found = self.kept.get(key, {}).values()
        return [each.kept for each in found if each.kept and any(owner.get("uid") == uid for owner in each.owners)]

    def enqueue(self, key: Key, delay: float = _SOON) -> None:
        """Something of this function changed."""
        if key.name and key in self.functions:
            self._enqueue(key, delay)

    def users(self, kind: str, address: Address) -> Iterator[Key]:
        """Functions that depend on a ConfigMap or Secret."""
        yield from self._users.get((kind, *address), ())


def _same_but_status(one: Function, other: Function) -> bool:
    mine, theirs = one.metadata, other.metadata
    return (
        mine.uid == theirs.uid
        and mine.generation == theirs.generation
        and mine.annotations == theirs.annotations
        and mine.deletion_timestamp == theirs.deletion_timestamp
        and one.spec == other.spec
    )


class _Listener(Generic[T]):
    def __init__(self, view: Store) -> None:
        self.view = view


class _Deployments(_Listener[snapshot.Deployment]):
    def changed(self, address: Address, new: snapshot.Deployment, old: snapshot.Deployment | None) -> None:
        key = new.child.key
        if address == key and new != old:
            self.view.deployments[key] = new
            self.view.tell(key)
            if self.view.is_news(key, "Deployment", address[1], new):
                self.view.enqueue(key)

    def deleted(self, address: Address, old: snapshot.Deployment) -> None:
        if self.view.deployments.pop(Key(*address), None):
            self.view.tell(old.child.key)
            self.view.enqueue(old.child.key, 0.0)


class _Namespaces(_Listener[Mapping[str, str]]):
    def changed(self, address: Address, new: Mapping[str, str], old: Mapping[str, str] | None) -> None:
        if new != old:
            for key in self.view.table.label(address[1], new):
                self.view.enqueue(key)

    def deleted(self, address: Address, old: Mapping[str, str]) -> None:  # noqa: ARG002 - as in `Listener`
        self.view.table.label(address[1], {})


class _Services(_Listener[snapshot.ChildSnapshot]):
    def changed(self, address: Address, new: snapshot.ChildSnapshot, old: snapshot.ChildSnapshot | None) -> None:
        if address == new.key and new != old:
            self.view.services[new.key] = new
            if self.view.is_news(new.key, "Service", address[1], new):
                self.view.enqueue(new.key)

    def deleted(self, address: Address, old: snapshot.ChildSnapshot) -> None:
        if self.view.services.pop(Key(*address), None):
            self.view.enqueue(old.key, 0.0)


class _ReplicaSets(_Listener[snapshot.ReplicaSet]):
    def changed(self, address: Address, new: snapshot.ReplicaSet, old: snapshot.ReplicaSet | None) -> None:
        if new.trouble:
            self.view.replica_sets[new.key][address[1]] = new
        elif old and old.trouble:
            self.deleted(address, old)
        if new.trouble != (old.trouble if old else None):
            self.view.enqueue(new.key)

    def deleted(self, address: Address, old: snapshot.ReplicaSet) -> None:
        _forget(self.view.replica_sets, old.key, address[1])


class _Pods(_Listener[snapshot.PodSnapshot]):
    def changed(self, address: Address, new: snapshot.PodSnapshot, old: snapshot.PodSnapshot | None) -> None:
        if old and old.key != new.key:
            self.deleted(address, old)
        self.view.pods[new.key][address[1]] = new
        self.view.enqueue(new.key, _PODS_SOON)

    def deleted(self, address: Address, old: snapshot.PodSnapshot) -> None:
        _forget(self.view.pods, old.key, address[1])
        self.view.enqueue(old.key, _PODS_SOON)


class _Configs(_Listener[snapshot.ConfigObject]):
    def __init__(self, view: Store, kind: str) -> None:
        super().__init__(view)
        self.kind = kind

    def changed(self, address: Address, new: snapshot.ConfigObject, old: snapshot.ConfigObject | None) -> None:
        if new.key is not None and self.kind == "ConfigMap":
            self.view.kept[new.key][address[1]] = new
            if new != old and self.view.is_news(new.key, "ConfigMap", address[1], new):
                self.view.enqueue(new.key)
            return
        self.view.config[self.kind, *address] = new.digest
        if old is None or old.digest != new.digest:
            self._tell(address)

    def deleted(self, address: Address, old: snapshot.ConfigObject) -> None:
        if old.key is not None and self.kind == "ConfigMap":
            _forget(self.view.kept, old.key, address[1])
            self.view.enqueue(old.key, 0.0)
            return
        self.view.config.pop((self.kind, *address), None)
        self._tell(address)

    def _tell(self, address: Address) -> None:
        for key in list(self.view.users(self.kind, address)):
            self.view.enqueue(key)


def _labels(raw: Raw) -> Mapping[str, str]:
    labels: Mapping[str, str] = plain(raw).get("metadata", {}).get("labels", {})
    return labels


def _forget(index: dict[Key, dict[str, T]], key: Key, name: str) -> None:
    entries = index.get(key, {})
    entries.pop(name, None)
    if not entries:
        index.pop(key, None)
