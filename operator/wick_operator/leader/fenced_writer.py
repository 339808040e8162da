"""Writes to the API server that only a leader makes, and never beyond the time it surely leads."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from wick_api import names
from wick_api.names import Key
from wick_api.warm import FROM_ZERO_TO_ONE
from wick_kube.cluster import Cluster
from wick_kube.error import ApiConflict, ApiNotFound, ApiUnreachable
from wick_kube.resource import DEPLOYMENTS, FUNCTIONS, Resource
from wick_operator import metrics

log = logging.getLogger(__name__)

TRIES = 5
"""Versions of a Function that its status is applied to before somebody else's writes win."""


class NotLeading(ApiUnreachable):
    """This replica does not lead (any more), so it writes nothing."""


class FencedWriter:
    """The operator's only way to write; `remaining` says for how many seconds this replica surely leads."""

    def __init__(self, cluster: Cluster, remaining: Callable[[], float], timeout: float) -> None:
        self._cluster, self._remaining, self._timeout = cluster, remaining, timeout

    async def apply(
        self, manifest: Mapping[str, Any], *, manager: str = names.OPERATOR, force: bool = True, subresource: str = ""
    ) -> dict[str, Any]:
        """Server-side apply."""
        async with self._allowed("apply", manifest["kind"]):
            return await self._cluster.apply(
                manifest, field_manager=manager, force=force, subresource=subresource or None
            )

    async def status(
        self, key: Key, status: Mapping[str, Any], *, uid: str, version: str, manager: str = names.OPERATOR
    ) -> dict[str, Any] | None:
        """Server-side apply of a part of this very Function's status; None where it is not there any more.

        The API server ignores a uid in a custom resource's status, so the resource `version` guards the write: a
        namesake made since has another one. A version that is only old costs one read and one write more.
        """
        for _ in range(TRIES):
            if version:
                metadata = {"name": key.name, "namespace": key.namespace, "resourceVersion": version}
                body = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata, "status": status}
                try:
                    return await self.apply(body, manager=manager, subresource="status")
                except ApiNotFound:
                    return None
                except ApiConflict as conflict:
                    last = conflict
            current = await self._cluster.find(FUNCTIONS, *key)
            if current is None or current["metadata"]["uid"] != uid:
                return None
            version = current["metadata"]["resourceVersion"]
        raise last

    async def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Make a new object."""
        async with self._allowed("create", manifest["kind"]):
            return await self._cluster.create(manifest, field_manager=names.OPERATOR)

    async def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str, grace: int | None = None
    ) -> None:
        """Delete this very object, `grace` in seconds; one that is gone already is no error."""
        async with self._allowed("delete", resource.kind):
            await self._cluster.delete(resource, namespace, name, uid=uid, grace=grace)

    async def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        change: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        subresource: str = "",
    ) -> dict[str, Any]:
        """A merge patch, or a sequence for a JSON patch; for what must not become ours by an apply."""
        async with self._allowed("patch", resource.kind):
            return await self._cluster.patch(
                resource, namespace, name, change, field_manager=names.OPERATOR, subresource=subresource or None
            )

    async def scale(self, namespace: str, deployment: str, replicas: int, *, seen: int, uid: str) -> None:
        """Set a Deployment's replicas, as the autoscaler; `Refused` where it or they are not (any more) what was seen.

        It does not go through the scale subresource, where a 0 would have no manager: so one without is a person's.
        """
        change = (
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "test", "path": "/spec/replicas", "value": seen},
            {"op": "replace", "path": "/spec/replicas", "value": replicas},
        )
        async with self._allowed("scale", "Deployment"):
            await self._cluster.patch(DEPLOYMENTS, namespace, deployment, change, field_manager=names.AUTOSCALER)

    async def wake(self, namespace: str, deployment: str) -> None:
        """Scale from 0 to 1 in place of the router that began a start and died; `Refused` where it is not at 0."""
        async with self._allowed("scale", "Deployment"):
            await self._cluster.patch(
                DEPLOYMENTS,
                namespace,
                deployment,
                FROM_ZERO_TO_ONE,
                field_manager=names.ROUTER,
                subresource="scale",
            )

    @asynccontextmanager
    async def _allowed(self, verb: str, kind: str) -> AsyncIterator[None]:
        seconds = min(self._remaining(), self._timeout)
        if seconds <= 0:
            raise NotLeading("this replica does not lead")
        metrics.WRITES.labels(verb, kind).inc()
        log.debug("write: %s %s, %.1f s of the Lease left", verb, kind, seconds)
        with metrics.WRITE_SECONDS.time():
            async with asyncio.timeout(seconds):
                yield
