"""What an instance is given to become one function: the body of the runtime's ``POST /specialize``.

It is everything that decides what runs, so its hash is the function's revision: equal bodies, equal revisions.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from wick_api.function import Function
from wick_api.names import Key
from wick_api.reason import Reason
from wick_cli.document.manifest import Document
from wick_cli.local.decisions.environment import Objects, Unrunnable, config_map_data, environment
from wick_cli.project import Project


def specialization(function: Function, project: Project) -> dict[str, Any]:
    """Body of `specialize`, revision included; `Unrunnable` where only a cluster can run the function."""
    spec = function.spec
    if spec.image is not None:
        raise Unrunnable(Reason.INVALID_SPEC, "spec.image: wick up runs no containers; use spec.source or a cluster")
    if spec.secrets or spec.config_maps:
        field = "secrets" if spec.secrets else "configMaps"
        raise Unrunnable(Reason.INVALID_SPEC, f"spec.{field}: wick up cannot mount; use env or envFrom, or a cluster")
    config_maps = _manifests(project.config_maps)
    body = {
        "function": function.metadata.name,
        "namespace": function.metadata.namespace,
        "handler": spec.handler,
        "interface": spec.interface,
        **({"lambdaEvent": spec.lambda_.event} if spec.lambda_ is not None else {}),
        "files": _files(function, config_maps),
        "env": environment(function, config_maps, _manifests(project.secrets)),
        "concurrency": spec.concurrency,
        "timeout": float(spec.timeout),
        "maxRequestBytes": spec.max_request_bytes,
        "startTimeout": float(spec.start_timeout),
        "debug": spec.debug,
    }
    return body | {"revision": hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest()[:10]}


def _files(function: Function, config_maps: Objects) -> dict[str, str]:
    source = function.spec.source
    if source is None:
        return {}
    if source.config_map is None:
        return dict(source.inline or {})
    key = Key(function.metadata.namespace, source.config_map.name)
    if key not in config_maps:
        message = f"spec.source.configMap: ConfigMap {key.name!r} is in none of the files given to wick up"
        raise Unrunnable(Reason.SOURCE_NOT_FOUND, message)
    return dict(config_map_data(config_maps[key]))


def _manifests(documents: Mapping[Key, Document]) -> Objects:
    return {key: document.manifest for key, document in documents.items()}
