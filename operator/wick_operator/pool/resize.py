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
    """In place, where the pod has others; refused for good (a quota, a cluster that resizes nothing), it keeps them."""
    metadata = pod["metadata"]
    if change := warm.resize(resources, pod):
        try:
            await fence.patch(PODS, metadata["namespace"], metadata["name"], change, subresource="resize")
        except (ApiRefused, ApiNotFound) as error:
            log.warning("%s/%s keeps a warm pod's resources: %s", metadata["namespace"], metadata["name"], error)
