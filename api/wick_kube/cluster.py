"""A connection to one API server, and the calls Kubewick makes on it.

Objects go in and come out as plain JSON values. Each call has a timeout. A call is repeated in one case only: the
server answered 429, which says it executed nothing. Everything else is the caller's to judge, because only the
caller knows whether the call is safe to repeat.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp
import msgspec
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from wick_kube.error import ApiError, ApiNotFound, ApiUnreachable, Throttled, from_response
from wick_kube.resource import DEPLOYMENTS, Resource, of

log = logging.getLogger(__name__)

Manifest = Mapping[str, Any]
Query = Mapping[str, str]

TIMEOUT = 10.0
"""Seconds a call may take in all, waiting for a throttled server included."""
THROTTLED_PAUSE = 0.5
"""Seconds to wait after a 429 that names no Retry-After."""

_JSON = "application/json"
_APPLY = "application/apply-patch+yaml"
_JSON_PATCH = "application/json-patch+json"
_MERGE_PATCH = "application/merge-patch+json"


class Cluster:
    """Calls to one API server as one identity; safe to share between the tasks of one event loop."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self._url = configuration.host.rstrip("/")
        self._rest = RESTClientObject(configuration)
        # Watches never end, so they get a pool of their own and cannot starve the calls.
        self._calls = _session(self._rest, limit=32)
        self._streams = _session(self._rest, limit=0)
        self.observe: Callable[[str, int], None] = _ignore
        """Told of each call's method and status; 0 where no answer came. Streams are not calls."""
        self.fault: Callable[[Resource, tuple[str, str], Exception], None] = _log_fault
        """Told of an object (namespace, name) that a reflector or its listener could not take."""

    @classmethod
    async def connect(cls, kubeconfig: str | None = None, context: str | None = None) -> Self:
        """Connect from inside a pod, or by a kubeconfig file; ``ConfigException`` says what is missing.

        With neither argument the pod's service account is used where there is one, else the default kubeconfig.
        """
        configuration = Configuration()
        if kubeconfig is None and context is None:
            try:
                load_incluster_config(configuration)  # type: ignore[no-untyped-call]  # the library's
            except ConfigException:
                await load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # likewise
        else:
            await load_kube_config(kubeconfig, context, configuration)  # type: ignore[no-untyped-call]  # likewise
        return cls(configuration)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; calls and streams under way end with `ApiUnreachable`."""
        await self._calls.close()
        await self._streams.close()

    async def get(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any]:
        """One object; `ApiNotFound` where there is none."""
        return _object(await self.call("GET", resource.path(namespace, name)))

    async def find(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any] | None:
        """One object, or None where there is none."""
        try:
            return await self.get(resource, namespace, name)
        except ApiNotFound:
            return None

    async def list(
        self, resource: Resource, namespace: str | None = None, labels: str = "", fields: str = ""
    ) -> list[dict[str, Any]]:
        """Every object that matches both selectors; meant for few objects, a `Reflector` is for many."""
        query = {key: value for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value}
        items = _object(await self.call("GET", resource.path(namespace), query=query)).get("items") or []
        return [{"apiVersion": resource.api_version, "kind": resource.kind, **item} for item in items]

    async def create(self, manifest: Manifest, *, field_manager: str) -> dict[str, Any]:
        """Create an object; `Conflict` where one of that name exists."""
        resource, namespace, _ = _identity(manifest)
        return _object(
            await self.call("POST", resource.path(namespace), query={"fieldManager": field_manager}, body=manifest)
        )

    async def apply(
        self, manifest: Manifest, *, field_manager: str, force: bool = True, subresource: str | None = None
    ) -> dict[str, Any]:
        """Server-side apply: the object has these fields, owned by `field_manager`; safe to repeat.

        Fields this manager applied before and leaves out now are removed. Without `force`, a field that another
        manager owns with another value is a `Conflict`.
        """
        resource, namespace, name = _identity(manifest)
        query = {"fieldManager": field_manager, "force": "true" if force else "false"}
        path = resource.path(namespace, name, subresource)
        return _object(await self.call("PATCH", path, query=query, body=manifest, content_type=_APPLY))

    async def patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        change: Manifest | Sequence[Manifest],
        *,
        field_manager: str,
        subresource: str | None = None,
    ) -> dict[str, Any]:
        """Change an object: a mapping is a merge patch, a sequence a JSON patch, whose failed `test` is `Refused`."""
        kind = _MERGE_PATCH if isinstance(change, Mapping) else _JSON_PATCH
        path = resource.path(namespace, name, subresource)
        query = {"fieldManager": field_manager}
        return _object(await self.call("PATCH", path, query=query, body=change, content_type=kind))

    async def scale(self, namespace: str, deployment: str, replicas: int, *, field_manager: str) -> None:
        """Set a Deployment's replicas through its scale subresource, whatever they are.

        A Scale leaves `replicas` out when they are 0, so the API server then keeps no manager of the field.
        """
        change = {"spec": {"replicas": replicas}}
        await self.patch(DEPLOYMENTS, namespace, deployment, change, field_manager=field_manager, subresource="scale")

    async def delete(
        self, resource: Resource, namespace: str | None, name: str, *, uid: str | None = None, grace: int | None = None
    ) -> None:
        """Delete an object, children in the background; no error where it is gone already.

        With `uid`, only that very object: a namesake made since is left alone with a `Conflict`. `grace` is in seconds.
        """
        options: dict[str, Any] = {"propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        try:
            await self.call("DELETE", resource.path(namespace, name), body=options)
        except ApiNotFound:
            return

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        content_type: str = _JSON,
        timeout: float = TIMEOUT,  # noqa: ASYNC109 - one number for the whole call, pauses included
    ) -> bytes:
        """Make one call and return the body; `ApiError` for a refusal, `ApiUnreachable` for no answer in `timeout`.

        A server that answers 429 for that long is `Throttled`, with its own words: nothing was executed.
        """
        data = None if body is None else msgspec.json.encode(body)
        deadline = asyncio.get_running_loop().time() + timeout
        try:
            async with asyncio.timeout(timeout):
                while True:
                    try:
                        return await self._once(method, path, query, data, content_type)
                    except Throttled as throttled:
                        pause = THROTTLED_PAUSE if throttled.retry_after is None else throttled.retry_after
                        if asyncio.get_running_loop().time() + pause >= deadline:
                            raise
                        await asyncio.sleep(pause)
        except TimeoutError as error:
            raise ApiUnreachable(f"{method} {path}: no answer within {timeout:g} s") from error

    async def _once(self, method: str, path: str, query: Query | None, data: bytes | None, content_type: str) -> bytes:
        headers = await self._headers()
        if data is not None:
            headers["Content-Type"] = content_type
        try:
            async with self._calls.request(
                method, self._url + path, params=query, data=data, headers=headers
            ) as response:
                answer = await response.read()
        except aiohttp.ClientError as error:
            self.observe(method, 0)
            raise ApiUnreachable(f"{method} {path}: {error}") from error
        self.observe(method, response.status)
        if response.status >= 400:  # noqa: PLR2004 - HTTP's own boundary
            raise from_response(response.status, answer, response.headers.get("Retry-After"))
        return answer

    @asynccontextmanager
    async def stream(self, path: str, query: Query) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open an endless answer (a watch, a followed log) and read its bytes as they come."""
        try:
            async with self._streams.get(self._url + path, params=query, headers=await self._headers()) as response:
                if response.status >= 400:  # noqa: PLR2004 - HTTP's own boundary
                    answer = await response.read()
                    self.observe("GET", response.status)
                    raise from_response(response.status, answer, response.headers.get("Retry-After"))
                try:
                    yield response.content.iter_any()
                finally:
                    # An endless answer is never read to its end, and a polite TLS goodbye would outlive us.
                    if response.connection is not None and response.connection.transport is not None:
                        response.connection.transport.abort()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ApiUnreachable(f"GET {path}: {error}") from error

    async def logs(
        self, namespace: str, pod: str, *, container: str, previous: bool = False, lines: int = 20
    ) -> str | None:
        """The last lines of a container's log, or None where it has none (yet)."""
        query = {"container": container, "tailLines": str(lines), "previous": "true" if previous else "false"}
        try:
            text = await self.call("GET", f"/api/v1/namespaces/{namespace}/pods/{pod}/log", query=query)
        except ApiError:
            # Whatever the kubelet's reason (container not started, log rotated away), there is no log to show.
            return None
        return text.decode(errors="replace")

    async def _headers(self) -> dict[str, str]:
        """Credentials, read anew each time: projected tokens rotate hourly and the library re-reads their file."""
        headers = {"Accept": _JSON}
        settings: dict[str, Any] = dict(await self.configuration.auth_settings())
        for setting in settings.values():
            headers[setting["key"]] = setting["value"]
        return headers


def _ignore(method: str, status: int) -> None:
    """Nobody counts."""


def _log_fault(resource: Resource, address: tuple[str, str], error: Exception) -> None:
    log.error("%s %s/%s cannot be taken in", resource.kind, *address, exc_info=error)


def _session(rest: RESTClientObject, limit: int) -> aiohttp.ClientSession:
    """A pool of at most `limit` connections (0: any number) with the library's TLS settings."""
    connector = aiohttp.TCPConnector(limit=limit, ssl=rest.ssl_context, keepalive_timeout=60)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
    return aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=True)


def _identity(manifest: Manifest) -> tuple[Resource, str | None, str]:
    metadata = manifest["metadata"]
    return of(manifest["apiVersion"], manifest["kind"]), metadata.get("namespace"), metadata.get("name", "")


def _object(body: bytes) -> dict[str, Any]:
    return msgspec.json.decode(body, type=dict[str, Any])
