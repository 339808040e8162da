"""What the router reads from a pod's manifest; pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from wick_api import diagnosis, names, warm
from wick_api.names import Key
from wick_router.backend import Instance
from wick_router.kubernetes.decisions.outcome import WarmStarted

Manifest = Mapping[str, Any]

_OVER = frozenset({"Succeeded", "Failed"})


def key(pod: Manifest) -> Key:
    """The Function a pod belongs to, by its label."""
    metadata = pod["metadata"]
    return Key(metadata["namespace"], metadata["labels"][names.FUNCTION])


def ended(pod: Manifest) -> bool:
    """Whether it is over; Kubernetes keeps it as a record."""
    return pod.get("status", {}).get("phase") in _OVER


def instance(pod: Manifest, started: WarmStarted | None = None) -> Instance | None:
    """The instance a pod is, or None while it has no address and after it has ended.

    `started` is how this router started the function in it, where it did. A warm pod another router claimed may not
    have its function yet, whatever the kubelet says, until the Deployment owns it; so it is dialled, not trusted. One
    whose container was restarted has none any more.
    """
    metadata, status = pod["metadata"], pod.get("status", {})
    address = status.get("podIP")
    if not address or ended(pod):
        return None
    return Instance(
        id=metadata["uid"],
        host=address,
        port=_port(pod),
        revision=metadata["labels"].get(names.REVISION, ""),
        ready=not warm.forgot(pod) and (started is not None or diagnosis.vouched(pod)),
        terminating="deletionTimestamp" in metadata,
        origin="warm-pool" if names.CLAIMED_BY in metadata["labels"] else "deployment",
        phases=started.phases if started else (),
    )


def at_zero(instances: Sequence[Instance]) -> bool:
    """Whether a function with these instances has none that serves, and none that another router gave a warm pod."""
    return not any(each.ready or each.origin == "warm-pool" for each in instances)


def _port(pod: Manifest) -> int:
    for container in pod["spec"]["containers"]:
        for port in container.get("ports", ()):
            if port.get("name") == names.HTTP_PORT_NAME:
                return int(port["containerPort"])
    return names.HTTP_PORT
