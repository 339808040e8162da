"""Why can this pod not serve? Read from the manifests of pods, ReplicaSets and Events, in words a person can act on.

Pure, so the operator (for `status.why`) and the router's Kubernetes backend (for refusing waiting requests at once)
come to the same sentence. How to use it::

    needs = diagnosis.needs(pod)                    # what else is worth fetching; nothing for a pod that is well
    evidence = Evidence(
        events=[...] if needs.events else (),       # Events that regard the pod, any order
        last_log="..." if needs.last_log else "",   # pods/log?previous=true&tailLines=1
        readyz={...} if needs.readyz else {},       # body of GET http://<pod IP>:8081/readyz when it is 503
    )
    trouble = diagnosis.of_pod(pod, evidence)       # or None: well, or on its way
    trouble = diagnosis.of_replica_set(replica_set) # pods that could not even be created
    diagnosis.worst([...])                          # the one to show

`of_pod(pod)` alone, without evidence, already answers for image pulls, crashes, memory, missing configuration and
scheduling. `Trouble.transient` says that waiting may help: the cluster may find room, a mount may come; a router
should let such a request wait a while, and refuse at once on the others.
"""

import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from wick_api import names
from wick_api.reason import Reason

Manifest = Mapping[str, Any]

_PULL = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
_MOUNT = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume"})
_SLOW_KUBELET = "cache: timed out waiting for the condition"
"""Of a mount or an environment of which it says nothing: the kubelet was busy, and tries again by itself."""
_HELD_BACK = "didn't match pod anti-affinity rules"
"""Of a scheduler: only Kubewick gives functions' pods any, for as long as a warm pod stands in for them."""
_TERMINATING = "because it is being terminated"
"""Of the API server, about a namespace that is being deleted: it takes nothing new any more."""
_PROBES_BEFORE_BLAME = 3  # readiness failures of a running container before it counts as not listening
_LONGEST_TEXT = 400

_WORST_FIRST = (
    Reason.TERMINATING,
    Reason.LOAD_FAILED,
    Reason.OUT_OF_MEMORY,
    Reason.CRASH_LOOP,
    Reason.IMAGE_PULL,
    Reason.CONFIG_MISSING,
    Reason.MOUNT_FAILED,
    Reason.NOT_LISTENING,
    Reason.EVICTED,
    Reason.QUOTA,
    Reason.UNSCHEDULABLE,
    Reason.CLUSTER_ERROR,
)
_TRANSIENT = frozenset({Reason.EVICTED, Reason.UNSCHEDULABLE, Reason.QUOTA, Reason.CLUSTER_ERROR, Reason.MOUNT_FAILED})


class Trouble(Struct, frozen=True):
    """What keeps instances from serving."""

    reason: Reason
    message: str
    """One sentence: the fact, then what to do."""
    revision: str = ""
    pod: str = ""

    @property
    def transient(self) -> bool:
        """Waiting may help, without anybody changing the function."""
        return self.reason in _TRANSIENT


class Needs(Struct, frozen=True):
    """What would tell more about a pod than its manifest does."""

    events: bool = False
    last_log: bool = False
    readyz: bool = False


class Evidence(Struct, frozen=True):
    """What was fetched about a pod beside its manifest; all of it optional."""

    events: Sequence[Manifest] = ()
    last_log: str = ""
    readyz: Manifest = {}


def needs(pod: Manifest) -> Needs:
    """What is worth fetching before `of_pod`; all False for a pod that serves or is going away."""
    if not _leaving(pod) and unadopted(pod):
        return Needs(readyz=_has_control_port(pod))
    if _leaving(pod) or vouched(pod) or not _scheduled(pod):
        return Needs()
    status = _container(pod)
    crashed = _crash(status) is not None
    running = "running" in status.get("state", {})
    return Needs(events=not crashed, last_log=crashed, readyz=running and _has_control_port(pod))


def of_pod(pod: Manifest, evidence: Evidence | None = None) -> Trouble | None:
    """Why this pod can't serve, or None where it does, may yet, or is going away."""
    if _leaving(pod) or vouched(pod):
        return None
    evidence = evidence or Evidence()
    metadata = pod.get("metadata", {})
    for rule in (_unschedulable, _rejected, _waiting, _crashing, _not_loaded, _unmounted, _not_listening):
        found = rule(pod, evidence)
        if found:
            reason, message = found
            return Trouble(reason, message, metadata.get("labels", {}).get(names.REVISION, ""), metadata["name"])
    return None


def ended_at(pod: Manifest) -> str:
    """When its node ended the pod, as RFC 3339; empty where nothing says so."""
    ends = [status.get("state", {}).get("terminated", {}).get("finishedAt") or "" for status in _all_containers(pod)]
    return max([*ends, _condition(pod, "DisruptionTarget").get("lastTransitionTime") or ""])


def of_replica_set(replica_set: Manifest) -> Trouble | None:
    """Why a ReplicaSet's (or Deployment's) pods could not be created, or None."""
    for condition in replica_set.get("status", {}).get("conditions", ()):
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            labels = replica_set.get("metadata", {}).get("labels", {})
            return Trouble(*_refused(condition.get("message", "")), labels.get(names.REVISION, ""))
    return None


def unresized(pod: Manifest) -> Trouble | None:
    """Why the kubelet does not give a pod the resources that its spec asks for by now, or None."""
    pending, failed = _condition(pod, "PodResizePending"), _condition(pod, "PodResizeInProgress")
    if pending.get("status") == "True":
        return _short(Reason.UNSCHEDULABLE, pending.get("message") or pending.get("reason", ""))
    if failed.get("status") == "True" and failed.get("reason") == "Error":
        return _short(Reason.OUT_OF_MEMORY, failed.get("message", ""))
    return None


def refused_resize(text: str) -> Trouble:
    """Why the API server does not let a pod have more, from its own text."""
    return _short(Reason.QUOTA if "quota" in text or "maximum" in text else Reason.CLUSTER_ERROR, text)


def _short(reason: Reason, text: str) -> Trouble:
    fact = f"An instance from the warm pool cannot have what spec.resources asks for: {_clip(text)}"
    return Trouble(reason, f"{fact}; its limits hold; make room, or change spec.resources.")


def worst(troubles: Iterable[Trouble]) -> Trouble | None:
    """The one to show: what the author can mend before what the cluster lacks; the same for any order given."""
    return min(troubles, key=lambda trouble: (_WORST_FIRST.index(trouble.reason), trouble.message), default=None)


def is_ready(pod: Manifest) -> bool:
    """Whether the kubelet vouches for the pod."""
    return _condition(pod, "Ready").get("status") == "True"


def unadopted(pod: Manifest) -> bool:
    """Whether a warm pod was claimed and no ReplicaSet has it yet: the kubelet does not know what is in it."""
    metadata = pod["metadata"]
    owned = any(owner.get("controller") for owner in metadata.get("ownerReferences") or ())
    return names.CLAIMED_BY in metadata.get("labels", {}) and not owned


def vouched(pod: Manifest) -> bool:
    """Whether the kubelet calls the pod ready and knows its function: of a claimed warm one it may not load."""
    return is_ready(pod) and not unadopted(pod)


def control_url(pod: Manifest, path: str) -> str:
    """URL of `path` on the runtime's control port; empty without an address, and for images, which have none."""
    address = pod.get("status", {}).get("podIP", "")
    if not address or not _has_control_port(pod):
        return ""
    return f"http://{f'[{address}]' if ':' in address else address}:{names.CONTROL_PORT}{path}"


# The rules, in the order in which a pod meets them; each answers (reason, message) or None.

Finding = tuple[Reason, str] | None


def _unschedulable(pod: Manifest, _: Evidence) -> Finding:
    condition = _condition(pod, "PodScheduled")
    if condition.get("status") != "False" or condition.get("reason") == "SchedulingGated":
        return None
    if _HELD_BACK in condition.get("message", ""):
        return None
    text = _clip(condition.get("message", "no node fits"))
    remedy = "make room in the cluster, or change spec.resources, spec.nodeSelector or spec.tolerations"
    return Reason.UNSCHEDULABLE, f"No node can take an instance: {text}; {remedy}."


def _rejected(pod: Manifest, _: Evidence) -> Finding:
    """Evicted, or refused by its node."""
    status = pod.get("status", {})
    if status.get("phase") != "Failed" or not status.get("reason"):
        return None
    text = _clip(status.get("message", ""))
    if status["reason"] == "Evicted" and "ephemeral" in text and "limit" in text:
        remedy = "raise spec.resources.limits.ephemeral-storage, or write less to /tmp"
        return Reason.EVICTED, f"The node evicted an instance: {text}; {remedy}."
    if status["reason"] == "Evicted":
        return Reason.EVICTED, f"The node evicted an instance: {text}; it was short of what the instance used."
    return (
        Reason.CLUSTER_ERROR,
        f"The node ended the instance ({status['reason']}): {_clip(status.get('message', ''))}.",
    )


def _waiting(pod: Manifest, _: Evidence) -> Finding:
    for status in _all_containers(pod):
        waiting = status.get("state", {}).get("waiting", {})
        reason, text = waiting.get("reason", ""), _clip(waiting.get("message", ""))
        if reason in _PULL:
            image, remedy = status.get("image", ""), "check the image's name and spec.imagePullSecrets"
            return Reason.IMAGE_PULL, f"Image {image} cannot be pulled: {text or reason}; {remedy}."
        if reason == "CreateContainerConfigError" and _SLOW_KUBELET in text:
            return None
        if reason == "CreateContainerConfigError" and f'"{_source(pod)}"' in text:
            return Reason.CLUSTER_ERROR, f"The source is not in the cluster: {text}; the operator puts it back."
        if reason == "CreateContainerConfigError" and ("not found" in text or "couldn't find" in text):
            remedy = "create it, or correct spec.env and spec.envFrom"
            return Reason.CONFIG_MISSING, f"The environment cannot be built: {text}; {remedy}."
        if reason in {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}:
            return Reason.CRASH_LOOP, f"The container cannot be started: {text}; check the image's user and command."
    return None


def _crashing(pod: Manifest, evidence: Evidence) -> Finding:
    status = _container(pod)
    end = _crash(status)
    if end is None:
        return None
    if end.get("reason") == "OOMKilled":
        limit = _memory_limit(pod)
        fact = f"The instance needs more than its memory limit of {limit} and is killed"
        return Reason.OUT_OF_MEMORY, f"{fact}; raise spec.resources.limits.memory."
    said = _clip(evidence.last_log) or _clip(end.get("message", ""))
    remedy = f"see kubectl logs {pod['metadata']['name']} --previous"
    return Reason.CRASH_LOOP, f"The container {_exit(end)}{': ' if said else ''}{said}; {remedy}."


def _not_loaded(_: Manifest, evidence: Evidence) -> Finding:
    body = evidence.readyz
    if body.get("state") != "failed":
        return None
    place = f"{body['file']} line {body['line']}: " if body.get("file") and body.get("line") else ""
    text = _clip(str(body.get("message") or body.get("reason") or "no reason given"))
    return Reason.LOAD_FAILED, f"The code cannot be loaded: {place}{text}; correct the source."


def _unmounted(pod: Manifest, evidence: Evidence) -> Finding:
    if "running" in _container(pod).get("state", {}):
        return None
    for event in sorted(evidence.events, key=_when, reverse=True):
        text = _clip(event.get("message") or event.get("note") or "")
        if event.get("reason") in _MOUNT and _SLOW_KUBELET not in text:
            remedy = "create what spec.secrets and spec.configMaps name"
            return Reason.MOUNT_FAILED, f"A volume cannot be mounted: {text}; {remedy}."
        if event.get("reason") == "FailedCreatePodSandBox":
            return Reason.CLUSTER_ERROR, f"The node cannot set the instance up: {text}."
    return None


def _not_listening(pod: Manifest, evidence: Evidence) -> Finding:
    if _has_control_port(pod) or "running" not in _container(pod).get("state", {}):
        return None
    for event in evidence.events:
        if event.get("reason") == "Unhealthy" and _count(event) >= _PROBES_BEFORE_BLAME:
            text = _clip(event.get("message") or event.get("note") or "")
            return Reason.NOT_LISTENING, f"The container does not answer: {text}; make it serve HTTP on $PORT (8080)."
    return None


def _refused(text: str) -> tuple[Reason, str]:
    """Why the API server let no pod be created, from its own text."""
    short = _clip(text)
    if "exceeded quota" in text or "forbidden: maximum" in text or "forbidden: minimum" in text:
        remedy = "raise the quota, or lower spec.resources or spec.scale"
        return Reason.QUOTA, f"The namespace has no room for an instance: {short}; {remedy}."
    if "serviceaccount" in text and "not found" in text:
        return Reason.CONFIG_MISSING, f"No instance can be created: {short}; correct spec.serviceAccountName."
    if _TERMINATING in text:
        return Reason.TERMINATING, f"No instance can be created: {short}."
    return Reason.CLUSTER_ERROR, f"No instance can be created: {short}."


# Reading manifests


def _leaving(pod: Manifest) -> bool:
    return bool(pod.get("metadata", {}).get("deletionTimestamp"))


def _scheduled(pod: Manifest) -> bool:
    return bool(pod.get("spec", {}).get("nodeName"))


def _condition(pod: Manifest, kind: str) -> Manifest:
    conditions: Iterable[Manifest] = pod.get("status", {}).get("conditions", ())
    return next((condition for condition in conditions if condition.get("type") == kind), {})


def _all_containers(pod: Manifest) -> Iterator[Manifest]:
    status = pod.get("status", {})
    yield from status.get("initContainerStatuses", ())
    yield from status.get("containerStatuses", ())


def _source(pod: Manifest) -> str:
    """Name of the ConfigMap the pod's source comes from."""
    metadata = pod["metadata"]
    labels = metadata.get("labels", {})
    key = names.Key(metadata.get("namespace", ""), labels.get(names.FUNCTION, ""))
    return names.source(key, labels.get(names.REVISION, ""))


def _container(pod: Manifest) -> Manifest:
    """Status of the container that runs the function."""
    return next((status for status in _all_containers(pod) if status.get("name") == names.CONTAINER), {})


def _spec_of_container(pod: Manifest) -> Manifest:
    containers: Iterable[Manifest] = pod.get("spec", {}).get("containers", ())
    return next((container for container in containers if container.get("name") == names.CONTAINER), {})


def _has_control_port(pod: Manifest) -> bool:
    return any(port.get("name") == names.CONTROL_PORT_NAME for port in _spec_of_container(pod).get("ports", ()))


def _memory_limit(pod: Manifest) -> str:
    return str(_spec_of_container(pod).get("resources", {}).get("limits", {}).get("memory", "the node"))


def _crash(status: Manifest) -> Manifest | None:
    """How the container last ended, where that end is what keeps it from serving."""
    state = status.get("state", {})
    if "terminated" in state:
        return state["terminated"]  # type: ignore[no-any-return]  # a manifest's leaves are Any
    if status.get("restartCount", 0) > 0 and not status.get("ready", False):
        return status.get("lastState", {}).get("terminated")  # type: ignore[no-any-return]  # the same
    return None


def _exit(end: Manifest) -> str:
    code = end.get("exitCode", 0)
    number = end.get("signal") or (code - 128 if code > 128 else 0)  # noqa: PLR2004 - the shell's convention
    if number in set(signal.Signals):
        return f"is killed by {signal.Signals(number).name}"
    return f"exits with code {code}"


def _when(event: Manifest) -> str:
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return max(time or "" for time in times)


def _count(event: Manifest) -> int:
    series = event.get("series") or {}
    return int(series.get("count") or event.get("count") or event.get("deprecatedCount") or 1)


def _clip(text: str) -> str:
    """One line, no full stop, at most `_LONGEST_TEXT` characters."""
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= _LONGEST_TEXT else line[: _LONGEST_TEXT - 1] + "…"
