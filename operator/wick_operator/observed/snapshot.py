"""What is kept of each observed object: enough to judge it, little enough to keep thousands.

Manifests are kept as compressed JSON, and decoded only when they are looked at: 1 KB a Deployment, where Python dicts
would take 30. Of what the API server and the controllers add (managed fields, versions, status) nothing is kept that
nobody reads, so two looks at an object are equal unless something happened that a reconcile must answer.
"""

import sys
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from wick_api import diagnosis, names
from wick_api.diagnosis import Trouble
from wick_api.names import Key
from wick_api.revision import INPUT, LENGTH, digest
from wick_operator.observed.managed_fields import replicas_managers

Owners = tuple[Mapping[str, Any], ...]

_OURS = ("name", "namespace", "uid", "labels", "ownerReferences")
"""Metadata of a child that is compared with what is wanted."""

_decoder = msgspec.json.Decoder(dict[str, Any])


class KeptRevision(Struct, frozen=True):
    """A revision's ConfigMap, as far as its metadata tells."""

    revision: str
    name: str
    uid: str
    created: str
    """RFC 3339, so that it sorts as text."""
    input: str = ""


class ChildSnapshot(Struct, frozen=True):
    """A Service, or the part of other children that ownership and drift need."""

    key: Key
    """The Function its labels name."""
    uid: str
    owners: Owners
    body: bytes

    def manifest(self) -> dict[str, Any]:
        """As observed, of the metadata only what a child of ours has."""
        return _decoder.decode(zlib.decompress(self.body))


class Deployment(Struct, frozen=True):
    """A function's Deployment."""

    child: ChildSnapshot
    revision: str
    """Of the pod template."""
    wanted: int
    replicas: int
    ready: int
    managers: tuple[str, ...]
    """Field managers of `spec.replicas`."""
    trouble: Trouble | None

    @property
    def uid(self) -> str:
        return self.child.uid

    def resources(self) -> Mapping[str, Any]:
        """Of the function's container."""
        container = self.child.manifest()["spec"]["template"]["spec"]["containers"][0]
        found: Mapping[str, Any] = container.get("resources", {})
        return found


class PodSnapshot(Struct, frozen=True):
    """An instance."""

    key: Key
    name: str
    uid: str
    version: str
    revision: str
    ready: bool
    leaving: bool
    """It is being deleted, or has ended."""
    ended: bool
    adopted: bool
    """It came from the warm pool, and a ReplicaSet has it."""
    metrics: str
    """URL of its metrics; empty for images, which have none of Kubewick's."""
    body: bytes

    def manifest(self) -> dict[str, Any]:
        """As observed, without managed fields."""
        return _decoder.decode(self.body)


def unready_since(manifest: Mapping[str, Any]) -> str:
    """When a pod that is not ready was last known to be, or was made; RFC 3339."""
    conditions: Sequence[Mapping[str, Any]] = manifest.get("status", {}).get("conditions", ())
    since = next((each.get("lastTransitionTime") for each in conditions if each["type"] == "Ready"), "")
    return str(since or manifest["metadata"]["creationTimestamp"])


class ReplicaSet(Struct, frozen=True):
    """Why a ReplicaSet can't make its pods, if it can't."""

    key: Key
    trouble: Trouble | None


class ConfigObject(Struct, frozen=True):
    """A ConfigMap or Secret: the digest of its content, and what it is to Kubewick."""

    digest: str
    kept: KeptRevision | None = None
    key: Key | None = None
    """The Function whose revision it keeps."""
    owners: Owners = ()


def deployment(raw: Raw) -> Deployment:
    return deployment_in(_decoder.decode(raw))


def deployment_in(manifest: dict[str, Any]) -> Deployment:
    """What is kept of a decoded Deployment, which is used up."""
    spec, status, template = manifest["spec"], manifest.get("status", {}), manifest["spec"]["template"]
    managers = tuple(replicas_managers(manifest))
    trouble = diagnosis.of_replica_set(manifest)
    return Deployment(
        child=_child(manifest),
        revision=template["metadata"].get("labels", {}).get(names.REVISION, ""),
        wanted=spec.get("replicas", 1),
        replicas=status.get("replicas", 0),
        ready=status.get("readyReplicas", 0),
        managers=managers,
        trouble=trouble,
    )


def service(raw: Raw) -> ChildSnapshot:
    return service_in(_decoder.decode(raw))


def service_in(manifest: dict[str, Any]) -> ChildSnapshot:
    """What is kept of a decoded Service, which is used up."""
    return _child(manifest)


def replica_set(raw: Raw) -> ReplicaSet:
    manifest = _decoder.decode(raw)
    return ReplicaSet(_key(manifest["metadata"]), diagnosis.of_replica_set(manifest))


def pod(raw: Raw) -> PodSnapshot:
    manifest = _decoder.decode(raw)
    metadata = manifest["metadata"]
    metadata.pop("managedFields", None)
    ended = manifest.get("status", {}).get("phase") in {"Succeeded", "Failed"}
    return PodSnapshot(
        key=_key(metadata),
        name=metadata["name"],
        uid=metadata["uid"],
        version=metadata["resourceVersion"],
        revision=metadata.get("labels", {}).get(names.REVISION, ""),
        ready=diagnosis.vouched(manifest),
        leaving="deletionTimestamp" in metadata or ended,
        ended="deletionTimestamp" not in metadata and ended,
        adopted=names.CLAIMED_BY in metadata.get("labels", {}) and not diagnosis.unadopted(manifest),
        metrics=diagnosis.control_url(manifest, "/metrics"),
        body=msgspec.json.encode(manifest),
    )


def config(raw: Raw) -> ConfigObject:
    return config_in(_decoder.decode(raw))


def config_in(manifest: Mapping[str, Any]) -> ConfigObject:
    """What is kept of a ConfigMap or a Secret; content is digested, never kept."""
    metadata = manifest["metadata"]
    labels = metadata.get("labels", {})
    content = digest(manifest.get("data"), manifest.get("binaryData"))[:LENGTH]
    if names.REVISION not in labels or names.FUNCTION not in labels:
        return ConfigObject(content)
    kept = KeptRevision(
        revision=labels[names.REVISION],
        name=metadata["name"],
        uid=metadata["uid"],
        created=metadata["creationTimestamp"],
        input=metadata.get("annotations", {}).get(INPUT, ""),
    )
    return ConfigObject(content, kept, _key(metadata), tuple(metadata.get("ownerReferences", ())))


def status(told: Mapping[str, Any]) -> dict[str, Any]:
    """A Function's status as told, sharing the words that all have in common: of thousands at rest most is the same."""
    return {
        sys.intern(field): [_shared(each) for each in value] if field == "conditions" else value
        for field, value in told.items()
    }


def _shared(condition: Mapping[str, Any]) -> dict[str, Any]:
    return {
        sys.intern(field): sys.intern(value) if isinstance(value, str) else value for field, value in condition.items()
    }


def _child(manifest: dict[str, Any]) -> ChildSnapshot:
    metadata = manifest["metadata"]
    manifest.pop("status", None)
    manifest["metadata"] = {field: metadata[field] for field in _OURS if field in metadata}
    body = zlib.compress(msgspec.json.encode(manifest), zlib.Z_BEST_SPEED)
    return ChildSnapshot(_key(metadata), metadata["uid"], tuple(metadata.get("ownerReferences", ())), body)


def _key(metadata: Mapping[str, Any]) -> Key:
    return Key(metadata["namespace"], metadata.get("labels", {}).get(names.FUNCTION, ""))


OWNED = (
    "observedGeneration",
    "conditions",
    "why",
    "url",
    "replicas",
    "readyReplicas",
    "revision",
    "wantedRevision",
    "revisions",
    "configChecksum",
)
"""Fields of a Function's status that a reconcile writes; the rest is the autoscaler's."""


def owned(present: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a Function's status that `wick_operator.function.decisions.status` decides."""
    return {field: present[field] for field in OWNED if field in present}
