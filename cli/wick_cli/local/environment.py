"""A function's environment as Kubernetes would build it, from the ConfigMaps and Secrets in the given files.

Pure. The order and the rules are the kubelet's: ``envFrom`` first, ``env`` over it, ``$(NAME)`` expanded from what came
before, ``$$(NAME)`` kept as ``$(NAME)``, a missing key an error unless ``optional``.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from wick_api.function import Function, Manifest
from wick_api.names import Key
from wick_api.reason import Reason

Data = Mapping[str, str]


class Unrunnable(Exception):
    """This function cannot run here as it is written; the message says what to change."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def config_map_data(manifest: Manifest) -> Data:
    """Text entries of a ConfigMap."""
    return {str(key): str(value) for key, value in (manifest.get("data") or {}).items()}


def secret_data(manifest: Manifest) -> Data:
    """Entries of a Secret, decoded; ``stringData`` wins, as in the API server."""
    decoded = {}
    for key, value in (manifest.get("data") or {}).items():
        try:
            decoded[str(key)] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, TypeError) as error:
            raise Unrunnable(Reason.CONFIG_MISSING, f"Secret data.{key} is not base64 of UTF-8 text") from error
    return decoded | {str(key): str(value) for key, value in (manifest.get("stringData") or {}).items()}


def environment(function: Function, config_maps: Mapping[Key, Data], secrets: Mapping[Key, Data]) -> dict[str, str]:
    """Every variable of the function's process; `Unrunnable` names the entry that cannot be had."""
    sources = {"configMap": ("ConfigMap", config_maps), "secret": ("Secret", secrets)}
    found: dict[str, str] = {}
    for index, entry in enumerate(function.spec.env_from):
        for kind, (title, objects) in sources.items():
            reference = entry.get(f"{kind}Ref")
            if reference:
                data = _object(function, objects, reference, f"spec.envFrom[{index}]: {title}")
                found |= {f"{entry.get('prefix', '')}{key}": value for key, value in data.items()}
    for index, entry in enumerate(function.spec.env):
        name, chosen = str(entry.get("name", "")), entry.get("valueFrom") or {}
        if not chosen:
            found[name] = _expand(str(entry.get("value") or ""), found)
        elif "fieldRef" in chosen:
            found[name] = _field(function, chosen["fieldRef"], f"spec.env[{index}]")
        else:
            value = _key(function, sources, chosen, f"spec.env[{index}]")
            if value is not None:
                found[name] = value
    return found


def _object(function: Function, objects: Mapping[Key, Data], reference: Mapping[str, Any], where: str) -> Data:
    key = Key(function.metadata.namespace, str(reference.get("name", "")))
    if key not in objects and not reference.get("optional"):
        raise Unrunnable(Reason.CONFIG_MISSING, f"{where} {key.name!r} is in none of the files given to wick up")
    return objects.get(key, {})


def _key(
    function: Function, sources: Mapping[str, tuple[str, Mapping[Key, Data]]], chosen: Mapping[str, Any], where: str
) -> str | None:
    for kind, (title, objects) in sources.items():
        reference = chosen.get(f"{kind}KeyRef")
        if reference:
            data = _object(function, objects, reference, f"{where}: {title}")
            key = str(reference.get("key", ""))
            if key not in data and not reference.get("optional"):
                raise Unrunnable(
                    Reason.CONFIG_MISSING, f"{where}: {title} {reference.get('name')!r} has no key {key!r}"
                )
            return data.get(key)
    raise Unrunnable(Reason.INVALID_SPEC, f"{where}: the local platform cannot resolve {', '.join(chosen)}")


def _field(function: Function, reference: Mapping[str, Any], where: str) -> str:
    path = str(reference.get("fieldPath", ""))
    labelled = re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)
    if labelled:
        held = function.metadata.labels if labelled[1] == "labels" else function.metadata.annotations
        return held.get(labelled[2], "")
    known = {
        "metadata.name": function.metadata.name,
        "metadata.namespace": function.metadata.namespace,
        "spec.nodeName": "localhost",
        "status.hostIP": "127.0.0.1",
        "status.podIP": "127.0.0.1",
    }
    if path not in known:
        raise Unrunnable(Reason.INVALID_SPEC, f"{where}: the local platform knows no field {path!r}")
    return known[path]


def _expand(text: str, known: Mapping[str, str]) -> str:
    def replace(found: re.Match[str]) -> str:
        escaped, name = found[0].startswith("$$"), found[1]
        return f"$({name})" if escaped else known.get(name, found[0])

    return re.sub(r"\$?\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)", replace, text)
