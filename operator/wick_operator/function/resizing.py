"""Asks for what an instance from the warm pool still lacks of its function's resources, and tells what it cannot have.

    claimed --adopter--> limits (and all the rest, where the node need not set aside more)
            --reconcile, once the kubelet has put the limits into effect--> requests
            --kubelet: PodResizePending (Deferred, Infeasible), PodResizeInProgress (Error)--> Scaled False, its words
            --API server: a quota--> the same

It is level-triggered: pod and Deployment are compared, nothing is remembered.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from wick_api import diagnosis, warm
from wick_api.diagnosis import Trouble
from wick_kube.error import ApiNotFound, ApiRefused
from wick_kube.resource import PODS
from wick_operator.leader.fenced_writer import FencedWriter

Manifest = Mapping[str, Any]


async def finish(fence: FencedWriter, pods: Iterable[Manifest], resources: Manifest) -> Trouble | None:
    """Resize those of these pods that may be; why one of them cannot have its function's resources."""
    found = []
    for pod in pods:
        change = warm.resize(resources, pod) if warm.limits_hold(pod) else None
        refused = await _refused(fence, pod, change) if change else ""
        found.append(diagnosis.refused_resize(refused) if refused else diagnosis.unresized(pod))
    return diagnosis.worst(trouble for trouble in found if trouble)


async def _refused(fence: FencedWriter, pod: Manifest, change: list[dict[str, Any]]) -> str:
    metadata = pod["metadata"]
    try:
        await fence.patch(PODS, metadata["namespace"], metadata["name"], change, subresource="resize")
    except ApiRefused as error:
        return error.message
    except ApiNotFound:
        return ""
    return ""
