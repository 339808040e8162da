"""A container's environment as the kubelet would make it, for a process that no kubelet starts.

The rules are the kubelet's (``makeEnvironmentVariables`` and ``expansion.Expand``): ``envFrom`` first and ``env`` over
it; ``$(NAME)`` replaced from what came before, ``$$`` standing for ``$``, unknown names left as written; a missing
object or key an error unless it is optional.

Pure: objects and pod fields come in. Entries may be anything a person can write in YAML; what cannot be understood is
refused by its place.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from wick_api import names
from wick_api.function import Manifest
from wick_api.reason import Reason

Data = Mapping[str, str]
Objects = Callable[[str, str], Data | None]
"""Content of a ConfigMap or Secret by kind and name, None where there is none; asked only for what is named."""
Field = Callable[[str], str | None]
"""A downward-API field of the process's pod by path, None where there is no such field."""

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
_SOURCES = (("ConfigMap", "configMapRef", "configMapKeyRef"), ("Secret", "secretRef", "secretKeyRef"))


class Unresolvable(Exception):
    """A variable that cannot be had; `reason` says whose fault it is, `message` names it and says what is wrong."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Place(NamedTuple):
    """Where the process runs, in the words of an error."""

    who: str
    missing: str = "does not exist"


def is_own(variable: Mapping[str, Any]) -> bool:
    """Whether it is Kubewick's; authors may not use its names."""
    return str(variable["name"]).startswith(names.RESERVED_ENV_PREFIX) or variable["name"] in names.RESERVED_ENV


def needed(container: Manifest) -> set[tuple[str, str]]:
    """Kind and name of every ConfigMap and Secret that a container's variables mention, Kubewick's own left out."""
    found = set()
    for kind, whole, key in _SOURCES:
        found |= {(kind, entry[whole]["name"]) for entry in container.get("envFrom", ()) if whole in entry}
        chosen = (entry.get("valueFrom") or {} for entry in container.get("env", ()) if not is_own(entry))
        found |= {(kind, source[key]["name"]) for source in chosen if key in source}
    return found


def resolve(
    env_from: Sequence[Mapping[str, Any]],
    env: Sequence[Mapping[str, Any]],
    objects: Objects,
    field: Field,
    place: Place,
    given: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Every variable of a process with these `spec.envFrom` and `spec.env`.

    `given` are variables that the platform puts between the two. `Unresolvable` names the first entry that cannot be
    had.
    """
    found: dict[str, str] = {}
    for index, entry in enumerate(env_from):
        where = f"spec.envFrom[{index}]"
        for kind, reference in _chosen(entry, ((kind, whole) for kind, whole, _ in _SOURCES), where):
            data = _object(objects, kind, reference, where, place)
            found |= {f"{entry.get('prefix') or ''}{name}": value for name, value in data.items()}
    found |= given or {}
    for index, entry in enumerate(env):
        value = _value(entry, objects, field, found, f"spec.env[{index}]", place)
        if value is not None:
            found[str(entry.get("name", ""))] = value
    return found


def _value(
    entry: Mapping[str, Any], objects: Objects, field: Field, known: Mapping[str, str], where: str, place: Place
) -> str | None:
    chosen = _mapping(entry.get("valueFrom"), f"{where}.valueFrom")
    if not chosen:
        return expand(str(entry.get("value") or ""), known)
    if "fieldRef" in chosen:
        path = str(_mapping(chosen["fieldRef"], f"{where}.fieldRef").get("fieldPath", ""))
        value = field(path)
        if value is None:
            raise Unresolvable(Reason.INVALID_SPEC, f"{where}: {place.who} knows no field {path!r}")
        return value
    for kind, reference in _chosen(chosen, ((kind, key) for kind, _, key in _SOURCES), where):
        return _entry(objects, kind, reference, where, place)
    raise Unresolvable(Reason.INVALID_SPEC, f"{where}: {place.who} cannot resolve {', '.join(map(str, chosen))}")


def _chosen(
    entry: Mapping[str, Any], sources: Iterable[tuple[str, str]], where: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Kind and reference of each source that an entry names."""
    for kind, name in sources:
        reference = _mapping(entry.get(name), f"{where}.{name}")
        if reference:
            yield kind, reference


def _entry(objects: Objects, kind: str, reference: Mapping[str, Any], where: str, place: Place) -> str | None:
    data = _object(objects, kind, reference, where, place)
    key = str(reference.get("key", ""))
    if key not in data and not reference.get("optional"):
        raise Unresolvable(Reason.CONFIG_MISSING, f"{where}: {kind} {reference.get('name')!r} has no key {key!r}")
    return data.get(key)


def _object(objects: Objects, kind: str, reference: Mapping[str, Any], where: str, place: Place) -> Data:
    name = str(reference.get("name", ""))
    data = objects(kind, name)
    if data is None and not reference.get("optional"):
        raise Unresolvable(Reason.CONFIG_MISSING, f"{where}: {kind} {name!r} {place.missing}")
    return data or {}


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    """Check that `value`, if there is one, is an object."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Unresolvable(Reason.INVALID_SPEC, f"{where}: expected an object")
    return value


def expand(text: str, known: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` by what is known."""

    def replace(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else known.get(found[1], found[0])

    return _REFERENCE.sub(replace, text)


def labelled(path: str, labels: Mapping[str, str], annotations: Mapping[str, str]) -> str | None:
    """The value of a field path such as ``metadata.labels['team']``; None where the path is no such."""
    found = re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)
    if found is None:
        return None
    return str((labels if found[1] == "labels" else annotations).get(found[2], ""))


def pod_field(pod: Manifest, path: str) -> str | None:
    """A downward-API field of a running pod, or None where there is no such field."""
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status", {})
    known: dict[str, str | None] = {
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
    if path in known:
        return known[path]
    return labelled(path, metadata.get("labels") or {}, metadata.get("annotations") or {})
