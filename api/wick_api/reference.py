"""The objects that a Function names: all of them beside it, in its own namespace, by a plain name. Pure.

A name that no object can have is refused where it is written: it would never be found, and a part that pastes it into a
path would ask for something else.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wick_api.function import FunctionSpec

LONGEST_NAME = 253
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
"""A DNS subdomain, RFC 1123, as Kubernetes has it for names of Secrets, ConfigMaps, accounts and classes."""


def legal(name: object) -> bool:
    """Whether an object may have this name."""
    return isinstance(name, str) and len(name) <= LONGEST_NAME and _NAME.fullmatch(name) is not None


def problem(spec: "FunctionSpec") -> str:
    """The first reference that names no possible object, by its field; empty where all do."""
    return next(
        (f"{where}: {name!r} is not the name of an object" for where, name in _named(spec) if not legal(name)), ""
    )


def _named(spec: "FunctionSpec") -> Iterator[tuple[str, object]]:
    if spec.source is not None and spec.source.config_map is not None:
        yield "spec.source.configMap.name", spec.source.config_map.name
    for index, variable in enumerate(spec.env):
        yield from _chosen(f"spec.env[{index}].valueFrom", variable.get("valueFrom"), "configMapKeyRef", "secretKeyRef")
    for index, source in enumerate(spec.env_from):
        yield from _chosen(f"spec.envFrom[{index}]", source, "configMapRef", "secretRef")
    for field, mounts in (("secrets", spec.secrets), ("configMaps", spec.config_maps)):
        yield from ((f"spec.{field}[{index}].name", mount.name) for index, mount in enumerate(mounts))
    for index, secret in enumerate(spec.image_pull_secrets):
        yield f"spec.imagePullSecrets[{index}].name", secret.get("name")
    for field, name in (
        ("serviceAccountName", spec.service_account_name),
        ("priorityClassName", spec.priority_class_name),
    ):
        if name is not None:
            yield f"spec.{field}", name
    for index, metric in enumerate(spec.scale.metrics):
        if metric.secret:
            yield f"spec.scale.metrics[{index}].secret", metric.secret


def _chosen(where: str, given: Any, *kinds: str) -> Iterator[tuple[str, object]]:
    """The names in those references of `kinds` that are `given`; a file no API server has read may hold anything."""
    for kind in kinds:
        chosen = given.get(kind) if isinstance(given, Mapping) else None
        if chosen is not None:
            yield f"{where}.{kind}.name", chosen.get("name") if isinstance(chosen, Mapping) else None
