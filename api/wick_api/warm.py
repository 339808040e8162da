"""The warm pool's rules, shared by those who claim pods and those who make them; pure.

A warm pod is a generic runtime pod that waits for its first and only function::

    pool pod --specialize (POST)--> serving --claim (PATCH)--> claimed --adopt (PATCH)--> the Deployment's own pod
       |                               |                          |
       |                               +-- no claim came ---------+-- code failed, or not needed --> deleted
       +-- deleted with its pool

The pod itself decides who has it: it takes one function, ever, and refuses every other. An order for the revision it
has is answered like the first one, so that routers which start one function at once share the pod. So the claim, which
tells the cluster, is no step that a request waits for, and a start works while the API server does not answer.

Which functions fit is decided by comparing what they would run in with what the pod is: their *shape*. Two pod
templates have one shape when they differ in nothing that cannot be given to a running pod: its environment, its code,
its CPU and memory. Everything else (image, volumes, service account, node selector, security context ...) makes another
shape, so a new runtime image or a mounted Secret falls back to the Deployment by itself.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from wick_api import diagnosis, names, quantity
from wick_api.environment import Place, is_own, needed, pod_field, resolve
from wick_api.function import START_TIMEOUT, Function, FunctionSpec, Manifest
from wick_api.names import Key
from wick_api.revision import Revision, digest

SHAPE = f"{names.GROUP}/shape"
"""Label of a warm pod: what it can become."""

DORMANT = "dormant"
"""Component of a pool's pods that only listen, in a sixth of the memory, and load the runtime when an order comes."""

RESTARTS = f"{names.GROUP}/restarts"
"""Annotation of a claimed pod: how often its container had been restarted before, where it was."""

_SHAPE_LENGTH = 10

FROM_ZERO_TO_ONE = (
    # A Scale's spec leaves replicas out when they are 0, so "replicas are 0" reads: the spec is empty.
    {"op": "test", "path": "/spec", "value": {}},
    {"op": "add", "path": "/spec/replicas", "value": 1},
)
"""JSON patch of a Deployment's scale: two who write it, or one who repeats it, cannot do harm."""


class Obstacle(StrEnum):
    """Why a function does not start from the pool; a metric label, shown by the admin API."""

    NONE = ""
    DISABLED = "disabled"
    EMPTY = "empty"  # no warm pod is free
    SHAPE = "shape"  # it needs a pod of its own: image, mounts, service account, node selector ...
    SECRETS = "secrets"  # its environment comes from Secrets, which routers may not read
    ENVIRONMENT = "environment"  # a variable that only a kubelet can make
    MEMORY = "memory"  # it may use more memory than a warm pod has
    RESOURCES = "resources"  # it asks for something that cannot be added to a running pod
    GRACE = "grace"  # it needs more time to stop than a warm pod gets
    CONFLICT = "conflict"  # others claimed every pod first
    REFUSED = "refused"  # the pod refused the specialization, or did not answer
    UNKNOWN = "unknown"  # its revision is not known yet


EXPLAINED = {
    Obstacle.SHAPE: "needs a pod of its own for its image, mounts, account or node",
    Obstacle.SECRETS: "has environment variables from Secrets, which routers may not read",
    Obstacle.ENVIRONMENT: "has a variable that only a kubelet can make",
}
"""What of `hindered` a person is told: the function..."""


def hindered(spec: FunctionSpec) -> Obstacle:
    """What in a function's spec keeps it from ever starting in a warm pod; `Obstacle.NONE` where nothing does.

    The sizes of the pool's pods, which a spec does not know of, may still be too small: see `obstacle`.
    """
    own = (
        spec.image,
        spec.secrets,
        spec.config_maps,
        spec.service_account_name,
        spec.node_selector,
        spec.tolerations,
        spec.priority_class_name,
        spec.image_pull_secrets,
    )
    if any(own):
        return Obstacle.SHAPE
    container = {"env": spec.env, "envFrom": spec.env_from}
    if any(kind == "Secret" for kind, _ in needed(container)):
        return Obstacle.SECRETS
    if any("resourceFieldRef" in (entry.get("valueFrom") or {}) for entry in spec.env):
        return Obstacle.ENVIRONMENT
    return Obstacle.NONE


def shape(template: Manifest) -> str:
    """Digest of everything about a pod template that a running pod cannot be given any more."""
    spec = dict(template["spec"])
    container = {
        field: value
        for field, value in spec["containers"][0].items()
        if field not in {"env", "envFrom", "resources", "volumeMounts"}
    }
    mounts = [mount for mount in spec["containers"][0].get("volumeMounts", ()) if mount["name"] != "source"]
    volumes = [volume for volume in spec.get("volumes", ()) if volume["name"] != "source"]
    for field in ("affinity", "containers", "volumes", "terminationGracePeriodSeconds"):
        spec.pop(field, None)
    others = template["spec"]["containers"][1:]
    return digest(spec, container, mounts, volumes, others)[:_SHAPE_LENGTH]


def obstacle(template: Manifest, pod: Manifest) -> Obstacle:
    """Why this pod template cannot be had by specializing this warm pod; `Obstacle.NONE` where it can."""
    wanted, given = template["spec"], pod["spec"]
    container = wanted["containers"][0]
    if shape(template) != pod["metadata"]["labels"].get(SHAPE):
        return Obstacle.SHAPE
    if any(kind == "Secret" for kind, _ in needed(container)):
        return Obstacle.SECRETS
    if any("resourceFieldRef" in (entry.get("valueFrom") or {}) for entry in container.get("env", ())):
        return Obstacle.ENVIRONMENT
    if wanted.get("terminationGracePeriodSeconds", 30) > given.get("terminationGracePeriodSeconds", 30):
        return Obstacle.GRACE
    return unresizable(container.get("resources", {}), given["containers"][0].get("resources", {}))


def unresizable(wanted: Manifest, given: Manifest) -> Obstacle:
    """What keeps a container with the `given` resources from having the `wanted` ones; `Obstacle.NONE` where it can.

    CPU and memory can be resized in place, but not the class of service; and no import may outgrow the pod.
    """
    asked = {*wanted.get("requests", {}), *wanted.get("limits", {})}
    if not asked <= {"cpu", "memory"} or _guaranteed(wanted) or not wanted.get("requests"):
        return Obstacle.RESOURCES
    if "memory" not in wanted.get("limits", {}):
        return Obstacle.RESOURCES if "memory" in given.get("limits", {}) else Obstacle.NONE
    limit = given.get("limits", {}).get("memory")
    if limit is not None and quantity.parse(wanted["limits"]["memory"]) > quantity.parse(limit):
        return Obstacle.MEMORY
    return Obstacle.NONE


def _guaranteed(resources: Manifest) -> bool:
    limits, requests = resources.get("limits", {}), resources.get("requests", {})
    return {"cpu", "memory"} <= limits.keys() and all(
        quantity.parse(requests.get(name, limits[name])) == quantity.parse(limits[name]) for name in limits
    )


def resize(wanted: Manifest, pod: Manifest) -> list[dict[str, Any]] | None:
    """The JSON patch of ``pods/resize`` that gives the pod these resources, or None where it has them.

    A merge patch would replace the container as a whole, image and all, which the API server refuses.
    """
    if _same(_complete(wanted), _resources(pod)):
        return None
    return [{"op": "add", "path": "/spec/containers/0/resources", "value": dict(wanted)}]


def resize_limits(wanted: Manifest, pod: Manifest) -> list[dict[str, Any]] | None:
    """The same for the limits alone, with requests that the pod has already; None where it has these limits.

    A kubelet grants a resize as a whole or not at all, and a node may have no room for the requests. So limits go
    first, which need no room: a function's own memory limit holds whatever becomes of the rest.
    """
    given, limits = _resources(pod), wanted.get("limits") or {}
    requests = dict(given.get("requests") or {})
    for name, amount in (*limits.items(), *(wanted.get("requests") or {}).items()):
        if name in requests and quantity.parse(amount) < quantity.parse(requests[name]):
            requests[name] = amount
    first = {"requests": requests, "limits": dict(limits)}
    if _same({"limits": limits}, {"limits": given.get("limits")}) or _guaranteed(first):
        return None
    return [{"op": "add", "path": "/spec/containers/0/resources", "value": first}]


def grows(wanted: Manifest, pod: Manifest) -> bool:
    """Whether a node must set aside more for these resources than it does for the pod."""
    given = _resources(pod).get("requests") or {}
    requests = _complete(wanted)["requests"]
    return any(quantity.parse(requests[name]) > quantity.parse(given.get(name, "0")) for name in requests)


def limits_hold(pod: Manifest) -> bool:
    """Whether the kubelet has put the pod's limits into effect, as far as it says."""
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    actual = next((each.get("resources") for each in statuses if each.get("name") == names.CONTAINER), None)
    return actual is None or _same({"limits": _resources(pod).get("limits")}, {"limits": actual.get("limits")})


def _resources(pod: Manifest) -> Manifest:
    found: Manifest = pod["spec"]["containers"][0].get("resources") or {}
    return found


def _complete(wanted: Manifest) -> dict[str, Any]:
    """As the API server keeps it: what has a limit and no request requests its limit."""
    limits = wanted.get("limits") or {}
    return {"requests": {**limits, **(wanted.get("requests") or {})}, "limits": limits}


def _same(one: Manifest, other: Manifest) -> bool:
    def exact(resources: Manifest) -> dict[tuple[str, str], Any]:
        return {
            (part, name): quantity.parse(value)
            for part in ("requests", "limits")
            for name, value in (resources.get(part) or {}).items()
        }

    return exact(one) == exact(other)


def claim(pod: Manifest, function: Function, revision: Revision) -> dict[str, Any]:
    """The merge patch that tells the cluster whose a warm pod is; it names the pod's version.

    It takes the pod from its pool's ReplicaSet in the same write (labels and owner), so that the pool refills at once
    and the controller manager has one write less to make. The Function owns it from then on, so that it cannot outlive
    its function even while no operator runs; its ReplicaSet becomes the controlling owner by adoption. Until then, and
    a little longer, it stands in for the function's own pods, which no node takes meanwhile.
    """
    owner = {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "name": function.key.name,
        "uid": function.metadata.uid,
    }
    before = restarts(pod)
    return {
        "metadata": {
            **({"annotations": {RESTARTS: str(before)}} if before else {}),
            "resourceVersion": pod["metadata"]["resourceVersion"],
            "ownerReferences": [owner],
            "labels": {
                names.POOL: None,
                SHAPE: None,
                "pod-template-hash": None,
                names.CLAIMED_BY: function.key.name,
                names.STANDS_IN_FOR: function.key.name,
                **revision.template["metadata"]["labels"],
            },
        }
    }


def useless(claim: Manifest) -> dict[str, Any]:
    """The claim of a pod in which the function does not load, and which therefore stands in for nothing."""
    metadata = claim["metadata"]
    labels = {name: value for name, value in metadata["labels"].items() if name != names.STANDS_IN_FOR}
    return {"metadata": {**metadata, "labels": labels}}


def claimed(pod: Manifest, change: Manifest) -> dict[str, Any]:
    """The pod as it will be once `change`, a `claim`, is written; for what must not wait for that."""
    before, after = pod["metadata"], change["metadata"]
    labels = {**before["labels"], **after["labels"]}
    labels = {name: value for name, value in labels.items() if value is not None}
    return {**pod, "metadata": {**before, "ownerReferences": after["ownerReferences"], "labels": labels}}


def order(function: Function, revision: Revision, pod: Manifest, config_maps: Mapping[str, Any]) -> dict[str, Any]:
    """The body of ``POST /specialize``; `Unresolvable` where the environment cannot be made.

    `config_maps` maps the names in `needed` to their data. Kubewick's own variables are left out: the runtime sets
    them for the function itself, in cold pods and warm ones alike.
    """
    container = revision.template["spec"]["containers"][0]
    own = {each["name"]: each.get("value", "") for each in container["env"] if is_own(each)}
    variables = resolve(
        container.get("envFrom") or (),
        [each for each in container["env"] if not is_own(each)],
        lambda kind, name: config_maps.get(name) if kind == "ConfigMap" else None,
        lambda path: pod_field(pod, path),
        Place("a warm pod"),
        own,
    )
    return {
        "function": function.key.name,
        "namespace": function.key.namespace,
        "revision": revision.name,
        "handler": own.get("KUBEWICK_HANDLER", "main:handle"),
        "interface": own.get("KUBEWICK_INTERFACE", "auto"),
        **({"lambdaEvent": own["KUBEWICK_LAMBDA_EVENT"]} if "KUBEWICK_LAMBDA_EVENT" in own else {}),
        "files": dict(revision.files),
        "env": {name: value for name, value in variables.items() if not name.startswith(names.RESERVED_ENV_PREFIX)},
        "concurrency": int(own.get("KUBEWICK_CONCURRENCY", "10")),
        "timeout": float(own.get("KUBEWICK_TIMEOUT", "60")),
        "maxRequestBytes": int(own.get("KUBEWICK_MAX_REQUEST_BYTES", "10485760")),
        "startTimeout": float(own.get("KUBEWICK_START_TIMEOUT", START_TIMEOUT)),
        "debug": own.get("KUBEWICK_DEBUG") == "1",
    }


def is_dormant(pod: Manifest) -> bool:
    """Whether it was made to load the runtime only when its function comes: to be taken where no other is free."""
    return bool(pod["metadata"].get("labels", {}).get(names.COMPONENT) == DORMANT)


def choose(pods: Sequence[Manifest], key: Key) -> Manifest:
    """The pod of these in which a function starts: the same in every router that knows the same pods.

    Rendezvous hashing (Thaler and Ravishankar, 1998): functions spread over the pods, one that comes or goes moves few
    of them. A pod takes the order for one revision from several routers, so they share it instead of taking one each.
    Dormant pods come last.
    """
    awake = [pod for pod in pods if not is_dormant(pod)] or pods
    return min(awake, key=lambda pod: hashlib.sha256(f"{key}/{pod['metadata']['uid']}".encode()).digest())


def is_free(pod: Manifest) -> bool:
    """Whether a pool's pod waits for its function."""
    return diagnosis.is_ready(pod) and has_address(pod)


def has_address(pod: Manifest) -> bool:
    """Whether it can be spoken to, ready or not."""
    return "deletionTimestamp" not in pod["metadata"] and bool(pod.get("status", {}).get("podIP"))


def stands_in(pod: Manifest) -> bool:
    """Whether the function's own pods are held back while this one serves it."""
    return names.STANDS_IN_FOR in pod["metadata"].get("labels", {})


def restarts(pod: Manifest) -> int:
    """How often its container was restarted."""
    return sum(each.get("restartCount", 0) for each in pod.get("status", {}).get("containerStatuses") or ())


def forgot(pod: Manifest) -> bool:
    """Whether a claimed pod's container was restarted: it has come back as a pool's, and will never have its function.

    The kubelet starts it with what the pod's spec says, and calls it ready: that it waits for a function, nobody sees.
    """
    metadata = pod["metadata"]
    before = (metadata.get("annotations") or {}).get(RESTARTS, "")
    told = int(before) if before.isdecimal() else 0  # anybody may have written there who may write to pods
    return names.CLAIMED_BY in metadata.get("labels", {}) and restarts(pod) > told


def token(key: str, namespace: str, runtime: str) -> str:
    """The bearer token that a namespace's warm pods of one runtime take, derived from the installation's key.

    The pods know its SHA-256 only. So a function can learn nothing from its own pod, whose environment it may read,
    that opens another; and each pod takes it once.
    """
    return hmac.new(key.encode(), f"{namespace}/{runtime}".encode(), hashlib.sha256).hexdigest()


def token_digest(token: str) -> str:
    """What a warm pod is given to know its token by."""
    return hashlib.sha256(token.encode()).hexdigest()
