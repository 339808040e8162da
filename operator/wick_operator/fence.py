"""Writes to the API server that only a leader makes, and never beyond the time it surely leads."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from wick_api import names
from wick_api.warm import FROM_ZERO_TO_ONE
from wick_kube.cluster import Cluster
from wick_kube.error import Unreachable
from wick_kube.resource import DEPLOYMENTS, Resource
from wick_operator import metrics


class NotLeading(Unreachable):
    """This replica does not lead (any more), so it writes nothing."""


class Fence:
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

    async def scale(self, namespace: str, deployment: str, replicas: int, *, seen: int) -> None:
        """Set a Deployment's replicas, as the autoscaler; `Refused` where they are not (any more) what was seen.

        It does not go through the scale subresource, where a 0 would have no manager: so one without is a person's.
        """
        change = (
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
        with metrics.WRITE_SECONDS.time():
            async with asyncio.timeout(seconds):
                yield
