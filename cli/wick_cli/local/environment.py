"""A function's environment as Kubernetes would build it, from the ConfigMaps and Secrets in the given files.

Pure. The order and the rules are the kubelet's: ``envFrom`` first, ``env`` over it, ``$(NAME)`` expanded from what came
before, ``$$(NAME)`` kept as ``$(NAME)``, a missing key an error unless ``optional``.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

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


Objects = Mapping[Key, Manifest]
"""ConfigMaps or Secrets as written; read only when a function names one, so a broken one harms nobody else."""


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


def environment(function: Function, config_maps: Objects, secrets: Objects) -> dict[str, str]:
    """Every variable of the function's process; `Unrunnable` names the entry that cannot be had."""
    sources = {
        "configMap": Source("ConfigMap", config_maps, config_map_data),
        "secret": Source("Secret", secrets, secret_data),
    }
    found: dict[str, str] = {}
    for index, entry in enumerate(function.spec.env_from):
        for kind, source in sources.items():
            reference = _object(entry.get(f"{kind}Ref"), f"spec.envFrom[{index}].{kind}Ref")
            if reference:
                data = source.read(function, reference, f"spec.envFrom[{index}]")
                found |= {f"{entry.get('prefix', '')}{key}": value for key, value in data.items()}
    for index, entry in enumerate(function.spec.env):
        name, chosen = str(entry.get("name", "")), _object(entry.get("valueFrom"), f"spec.env[{index}].valueFrom")
        if not chosen:
            found[name] = _expand(str(entry.get("value") or ""), found)
        elif "fieldRef" in chosen:
            found[name] = _field(
                function, _object(chosen["fieldRef"], f"spec.env[{index}].fieldRef"), f"spec.env[{index}]"
            )
        else:
            value = _key(function, sources, chosen, f"spec.env[{index}]")
            if value is not None:
                found[name] = value
    return found


class Source(NamedTuple):
    """One kind of object that values come from."""

    title: str
    objects: Objects
    data: Callable[[Manifest], Data]

    def read(self, function: Function, reference: Mapping[str, Any], where: str) -> Data:
        """Entries of the object referred to; empty when it is missing and optional."""
        key = Key(function.metadata.namespace, str(reference.get("name", "")))
        if key in self.objects:
            return self.data(self.objects[key])
        if reference.get("optional"):
            return {}
        message = f"{where}: {self.title} {key.name!r} is in none of the files given to wick up"
        raise Unrunnable(Reason.CONFIG_MISSING, message)


def _object(value: Any, where: str) -> Mapping[str, Any]:
    """Check that `value`, if there is one, is an object."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Unrunnable(Reason.INVALID_SPEC, f"{where}: expected an object")
    return value


def _key(function: Function, sources: Mapping[str, Source], chosen: Mapping[str, Any], where: str) -> str | None:
    for kind, source in sources.items():
        reference = _object(chosen.get(f"{kind}KeyRef"), f"{where}.{kind}KeyRef")
        if reference:
            data = source.read(function, reference, where)
            key = str(reference.get("key", ""))
            if key not in data and not reference.get("optional"):
                message = f"{where}: {source.title} {reference.get('name')!r} has no key {key!r}"
                raise Unrunnable(Reason.CONFIG_MISSING, message)
            return data.get(key)
    raise Unrunnable(Reason.INVALID_SPEC, f"{where}: the local platform cannot resolve {', '.join(map(str, chosen))}")


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
