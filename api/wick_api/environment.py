"""A container's environment as the kubelet would make it, for a process that no kubelet starts.

The rules are the kubelet's (``makeEnvironmentVariables``): ``envFrom`` first and ``env`` over it, ``$(NAME)`` replaced
from what came before, ``$$(NAME)`` kept as ``$(NAME)``, unknown names left as written, a missing object or key an error
unless it is optional. Pure: objects and pod fields come in.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from wick_api.function import Manifest
from wick_api.reason import Reason

Data = Mapping[str, str]
Objects = Mapping[tuple[str, str], Data]
"""Content of ConfigMaps and Secrets, by kind and name."""

_REFERENCE = re.compile(r"\$?\$\(([^()]+)\)")
_SOURCES = (("ConfigMap", "configMapRef", "configMapKeyRef"), ("Secret", "secretRef", "secretKeyRef"))


class Unresolvable(Exception):
    """A variable that cannot be had; `reason` says whose fault it is, the message names it."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def needed(container: Manifest) -> set[tuple[str, str]]:
    """Kind and name of every ConfigMap and Secret the container's environment mentions."""
    found = set()
    for kind, whole, key in _SOURCES:
        found |= {(kind, entry[whole]["name"]) for entry in container.get("envFrom", ()) if whole in entry}
        chosen = (entry.get("valueFrom") or {} for entry in container.get("env", ()))
        found |= {(kind, source[key]["name"]) for source in chosen if key in source}
    return found


def resolve(container: Manifest, objects: Objects, field: Callable[[str], str | None]) -> dict[str, str]:
    """Every variable of the container; `field` reads a downward-API field path of its pod, None if it does not know it.

    `objects` holds those of `needed` that exist. `Unresolvable` names the first variable that cannot be had.
    """
    found: dict[str, str] = {}
    for entry in container.get("envFrom", ()):
        for kind, whole, _ in _SOURCES:
            if whole in entry:
                data = _object(objects, kind, entry[whole], "envFrom")
                found |= {entry.get("prefix", "") + name: value for name, value in data.items()}
    for entry in container.get("env", ()):
        value = _value(entry, objects, field, found)
        if value is not None:
            found[entry["name"]] = value
    return found


def _value(
    entry: Manifest, objects: Objects, field: Callable[[str], str | None], known: Mapping[str, str]
) -> str | None:
    name, chosen = entry["name"], entry.get("valueFrom")
    if not chosen:
        return _expand(entry.get("value") or "", known)
    if "fieldRef" in chosen:
        value = field(chosen["fieldRef"]["fieldPath"])
        if value is None:
            raise Unresolvable(Reason.INVALID_SPEC, f"env {name}: no field {chosen['fieldRef']['fieldPath']}")
        return value
    for kind, _, key in _SOURCES:
        if key in chosen:
            return _entry(objects, kind, chosen[key], name)
    raise Unresolvable(Reason.INVALID_SPEC, f"env {name}: {', '.join(chosen)} needs a pod of its own")


def _entry(objects: Objects, kind: str, reference: Mapping[str, Any], name: str) -> str | None:
    data = _object(objects, kind, reference, f"env {name}")
    if reference["key"] not in data and not reference.get("optional"):
        raise Unresolvable(
            Reason.CONFIG_MISSING, f"env {name}: {kind} {reference['name']} has no key {reference['key']}"
        )
    return data.get(reference["key"])


def _object(objects: Objects, kind: str, reference: Mapping[str, Any], where: str) -> Data:
    data = objects.get((kind, reference["name"]))
    if data is None and not reference.get("optional"):
        raise Unresolvable(Reason.CONFIG_MISSING, f"{where}: {kind} {reference['name']} does not exist")
    return data or {}


def _expand(text: str, known: Mapping[str, str]) -> str:
    def replace(found: re.Match[str]) -> str:
        whole = found[0]
        return whole[1:] if whole.startswith("$$") else known.get(found[1], whole)

    return _REFERENCE.sub(replace, text)


def pod_field(pod: Manifest, path: str) -> str | None:
    """A downward-API field of a running pod, or None where there is no such field."""
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status", {})
    labelled = re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)
    if labelled:
        return str((metadata.get(labelled[1]) or {}).get(labelled[2], ""))
    known: dict[str, Any] = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName"),
        "spec.serviceAccountName": spec.get("serviceAccountName"),
        "status.hostIP": status.get("hostIP"),
        "status.podIP": status.get("podIP"),
        "status.hostIPs": ",".join(each["ip"] for each in status.get("hostIPs", ())) or None,
        "status.podIPs": ",".join(each["ip"] for each in status.get("podIPs", ())) or None,
    }
    return known.get(path)
