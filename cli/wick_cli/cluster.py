"""The one door to a cluster: the official client for configuration, authentication and TLS; plain JSON through it.

Its typed models are left aside: a Function has none, and raw bytes let `call` and `lines` stream.

A function is called through the **API server's proxy** to the router's Service, so that it works with nothing but a
kubeconfig: no load balancer, no port-forward, no second protocol. The API server keeps ``Authorization`` to itself, so
a call that needs that header must go to the router directly.
"""

import itertools
import json
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, Self
from urllib.parse import urlencode

import urllib3
from kubernetes import client, config
from kubernetes.config import ConfigException

from wick_api import names
from wick_api.names import Key
from wick_cli.document.manifest import Document
from wick_cli.failure import CommandFailed, FunctionNotFound, InvalidFile, PlatformUnreachable, TooLate
from wick_cli.platform import FunctionAnswer, FunctionCall, Shown

FIELD_MANAGER = "wick"
TIMEOUT = urllib3.Timeout(connect=5.0, read=30.0)
ROUTER = f"{names.PART_OF}=kubewick,{names.COMPONENT}=router"
CONTROL_SECONDS = 3.0
"""For a pod to answer there."""
_CHUNK = 65536
_POLL_SECONDS = 0.5
_NEW_PODS_SECONDS = 1.0

_KINDS = {
    names.KIND: f"apis/{names.API_VERSION}/namespaces/{{namespace}}/{names.PLURAL}",
    "ConfigMap": "api/v1/namespaces/{namespace}/configmaps",
    "Secret": "api/v1/namespaces/{namespace}/secrets",
}


class ClusterPlatform:
    """Functions of one cluster (`Platform`)."""

    def __init__(self, api: client.ApiClient, namespace: str) -> None:
        self._api = api
        self.namespace = namespace

    @classmethod
    def connect(cls, context: str | None, namespace: str | None) -> Self:
        """Read the kubeconfig; nothing is sent yet."""
        try:
            known, active = config.list_kube_config_contexts()  # type: ignore[no-untyped-call] # the client's
            api = config.new_client_from_config(context=context)  # type: ignore[no-untyped-call] # the client's
        except ConfigException as error:
            raise PlatformUnreachable(
                f"no cluster: {error}; give a kubeconfig by KUBECONFIG or --context, "
                "or run `wick up PATH` and give --local, which needs no cluster"
            ) from error
        chosen = next(each for each in known if each["name"] == context) if context else active
        return cls(api, namespace or chosen["context"].get("namespace") or "default")

    def functions(self, namespace: str | None) -> list[Shown]:
        """All of one namespace, or of all."""
        where = f"/namespaces/{namespace}" if namespace else ""
        found = self._json("GET", f"/apis/{names.API_VERSION}{where}/{names.PLURAL}")
        return list(found["items"])

    def function(self, key: Key) -> Shown:
        """One of them."""
        return self._json("GET", self._path(names.KIND, key), missing=f"Function {key}")

    def instances(self, key: Key) -> list[Shown]:
        """Its pods; one that is ready tells how its handler processes come to be."""
        found = [_instance(pod) for pod in self._pods(key)]
        for each in [each for each in found if each["state"] == "ready"][-1:]:
            each["forking"] = self._forking(key.namespace, each["id"])
        return list(found)

    def apply(self, document: Document) -> str:
        """Server-side apply; a conflict with another field manager is an error, never taken by force."""
        manifest, metadata = document.manifest, document.manifest["metadata"]
        key = Key(str(metadata["namespace"]), str(metadata["name"]))
        path = self._path(str(manifest["kind"]), key)
        before = self._version(path)
        response = self._send(
            "PATCH",
            path,
            query={"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"},
            headers={"Content-Type": "application/apply-patch+yaml"},
            body=json.dumps(manifest).encode(),
        )
        if response.status in (400, 422) or b"failed to create typed patch object" in response.data:
            raise InvalidFile(str(document.problem(_message(response))))
        after = self._decoded(response, f"{manifest['kind']} {key}")["metadata"]["resourceVersion"]
        return "created" if before is None else "unchanged" if before == after else "configured"

    def call(self, key: Key, call: FunctionCall) -> FunctionAnswer:
        """Send one request through the API server's proxy and the router."""
        if any(name.lower() == "authorization" for name, _ in call.headers):
            message = "the API server's proxy keeps Authorization to itself; forward a port to the router and use curl"
            raise CommandFailed(message)
        router = self._router()
        path = (
            f"/api/v1/namespaces/{router.namespace}/services/http:{router.name}:80/proxy"
            f"/function/{key.namespace}/{key.name}/{call.path.removeprefix('/')}"
        )
        timeout = urllib3.Timeout(connect=5.0, read=call.timeout)
        response = self._send(call.method, path, headers=dict(call.headers), body=call.body, timeout=timeout)
        if response.status == 404:  # noqa: PLR2004 - HTTP's own number
            self.function(key)  # raises where it is the router's answer and not the function's
        return FunctionAnswer(response.status, dict(response.headers), response.stream(_CHUNK, decode_content=False))

    def lines(self, key: Key, tail: int, *, follow: bool) -> Iterator[str]:
        """Lines of all its pods, those of one pod in order; with `follow`, of pods that come later too."""
        self.function(key)  # NotFound, rather than silence
        if not follow:
            for pod in self._pods(key):
                yield from self._log(pod, tail, follow=False)
            return
        found: queue.Queue[str] = queue.Queue(maxsize=1000)
        followed: set[str] = set()
        while True:
            for pod in self._pods(key):
                if pod["metadata"]["uid"] not in followed and pod.get("status", {}).get("phase") == "Running":
                    followed.add(pod["metadata"]["uid"])
                    threading.Thread(target=self._follow, args=(pod, tail, found), daemon=True).start()
            try:
                yield found.get(timeout=_NEW_PODS_SECONDS)
                yield from itertools.islice(iter(found.get_nowait, None), found.qsize())
            except queue.Empty:
                continue

    def rest(self, key: Key, within: float) -> None:
        """Wait until its autoscaler has taken it to zero: nobody else may scale it."""
        until = time.monotonic() + within
        while self._pods(key):
            if time.monotonic() > until:
                raise TooLate(f"{key} did not go to zero in {within:g} s; its spec.scale.idle and min decide that")
            time.sleep(_POLL_SECONDS)

    def delete(self, key: Key) -> None:
        """Delete it; what it owns goes with it."""
        query = {"propagationPolicy": "Background"}
        self._json("DELETE", self._path(names.KIND, key), query=query, missing=f"Function {key}")

    def _follow(self, pod: Mapping[str, Any], tail: int, found: "queue.Queue[str]") -> None:
        for line in self._log(pod, tail, follow=True):
            found.put(line)

    def _log(self, pod: Mapping[str, Any], tail: int, *, follow: bool) -> Iterator[str]:
        metadata = pod["metadata"]
        query = {"container": names.CONTAINER, "tailLines": str(tail), "follow": str(follow).lower()}
        response = self._send(
            "GET",
            f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/log",
            query=query,
            timeout=urllib3.Timeout(connect=5.0, read=None if follow else 30.0),
        )
        if response.status != 200:  # noqa: PLR2004 - HTTP's own number
            return  # a pod that is not up yet, or gone, has no log
        rest = b""
        for chunk in response.stream(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
        if rest:
            yield rest.decode(errors="replace")

    def _pods(self, key: Key) -> list[dict[str, Any]]:
        query = {"labelSelector": f"{names.FUNCTION}={key.name}"}
        return list(self._json("GET", f"/api/v1/namespaces/{key.namespace}/pods", query=query)["items"])

    def _forking(self, namespace: str, pod: str) -> str:
        """From the pod's own control port; empty where that cannot be asked, which hinders nothing else."""
        path = f"/api/v1/namespaces/{namespace}/pods/http:{pod}:{names.CONTROL_PORT}/proxy/readyz"
        try:
            response = self._send("GET", path, timeout=urllib3.Timeout(connect=5.0, read=CONTROL_SECONDS))
            said = json.loads(response.data) if response.status == 200 else {}  # noqa: PLR2004 - HTTP's own number
        except (PlatformUnreachable, urllib3.exceptions.HTTPError, ValueError):
            return ""
        return str(said.get("forking", "")) if isinstance(said, dict) else ""

    def _router(self) -> Key:
        """The router's internal Service, wherever Kubewick is installed; before there was one, the only one."""
        found = self._json("GET", "/api/v1/services", query={"labelSelector": ROUTER})["items"]
        ported = [each["metadata"] for each in found if each.get("spec", {}).get("clusterIP") != "None"]
        if not ported:
            raise PlatformUnreachable(
                "no router in this cluster: is Kubewick installed? helm install kubewick charts/kubewick"
            )
        service = max(ported, key=lambda each: each["labels"].get(names.LISTENER) == "internal")
        return Key(service["namespace"], service["name"])

    def _path(self, kind: str, key: Key) -> str:
        return f"/{_KINDS[kind].format(namespace=key.namespace)}/{key.name}"

    def _version(self, path: str) -> str | None:
        response = self._send("GET", path)
        return json.loads(response.data)["metadata"]["resourceVersion"] if response.status == 200 else None  # noqa: PLR2004

    def _json(
        self, method: str, path: str, query: Mapping[str, str] | None = None, missing: str = ""
    ) -> dict[str, Any]:
        return self._decoded(self._send(method, path, query=query), missing)

    def _decoded(self, response: urllib3.BaseHTTPResponse, what: str) -> dict[str, Any]:
        if response.status < 300:  # noqa: PLR2004 - HTTP's own number
            return dict(json.loads(response.data))
        message = _message(response)
        if response.status == 404 and what and "could not find the requested resource" not in message:  # noqa: PLR2004
            raise FunctionNotFound(f"{what} not found")
        if response.status == 404:  # noqa: PLR2004
            raise PlatformUnreachable(
                "this cluster knows no Functions: is Kubewick installed? helm install kubewick charts/kubewick"
            )
        if response.status in (401, 403):
            raise PlatformUnreachable(message)
        raise CommandFailed(message)

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout: urllib3.Timeout = TIMEOUT,
    ) -> urllib3.BaseHTTPResponse:
        """One request; the answer's body is not read yet. No retries: some of these are not idempotent."""
        _, url, sent, *_ = self._api.param_serialize(method, path, header_params={}, auth_settings=["BearerToken"])
        target = f"{url}?{urlencode(query)}" if query else url
        try:
            return self._api.rest_client.pool_manager.request(
                method,
                target,
                headers=dict(sent) | dict(headers or {}),
                body=body or None,
                timeout=timeout,
                preload_content=False,
                retries=False,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise PlatformUnreachable(f"the cluster does not answer: {error}") from error


def _message(response: urllib3.BaseHTTPResponse) -> str:
    """Text of the API server's Status, ``Function.kubewick.dev "x" is invalid: `` and the like taken off its front."""
    try:
        message = str(json.loads(response.data)["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {response.status}: {response.data[:500].decode(errors='replace')}"
    for introduction in (" is invalid: ", "): ."):
        _, found, field = message.partition(introduction)
        if found:
            return field
    return message


def _instance(pod: Mapping[str, Any]) -> dict[str, Any]:
    metadata, status = pod["metadata"], pod.get("status") or {}
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions") or [])
    phase = str(status.get("phase", "Unknown")).lower()
    state = "terminating" if metadata.get("deletionTimestamp") else "ready" if ready else phase
    return {
        "id": metadata["name"],
        "revision": (metadata.get("labels") or {}).get(names.REVISION, ""),
        "state": state,
        "node": (pod.get("spec") or {}).get("nodeName", ""),
        "started": status.get("startTime", ""),
    }
