"""Gives a warm pod the resources its function asks for: before its adoption, after which nobody looks at it again."""

import logging
from collections.abc import Mapping
from typing import Any

from wick_api import warm
from wick_kube.error import ApiNotFound, ApiRefused
from wick_kube.resource import PODS
from wick_operator.leader.fenced_writer import FencedWriter

log = logging.getLogger(__name__)

Manifest = Mapping[str, Any]


async def resize(fence: FencedWriter, pod: Manifest, resources: Manifest) -> None:
    """In place, where the pod has others.

    Where its node must set aside more, the limits go first and the reconcile asks for the rest once they hold
    (`wick_operator.function.resizing`); it does so too where the whole is refused (a quota).
    """
    first = warm.resize_limits(resources, pod) if warm.grows(resources, pod) else None
    change = first or warm.resize(resources, pod)
    if change and not await _patched(fence, pod, change) and change is not first:
        limits = warm.resize_limits(resources, pod)
        if limits is not None:
            await _patched(fence, pod, limits)


async def _patched(fence: FencedWriter, pod: Manifest, change: list[dict[str, Any]]) -> bool:
    metadata = pod["metadata"]
    try:
        await fence.patch(PODS, metadata["namespace"], metadata["name"], change, subresource="resize")
    except (ApiRefused, ApiNotFound) as error:
        log.warning("%s/%s keeps a warm pod's resources: %s", metadata["namespace"], metadata["name"], error)
        return False
    return True
