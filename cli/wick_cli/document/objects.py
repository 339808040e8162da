"""Metadata, ConfigMaps and Secrets as the API server takes them in a strict write. Pure."""

import base64
import binascii
import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

_TEXT, _NUMBER, _BOOLEAN, _TEXTS, _DATA, _ANY = "text", "a number", "true or false", "texts", "base64", "anything"
_METADATA = {
    "name": _TEXT,
    "generateName": _TEXT,
    "namespace": _TEXT,
    "selfLink": _TEXT,
    "uid": _TEXT,
    "resourceVersion": _TEXT,
    "generation": _NUMBER,
    "creationTimestamp": _TEXT,
    "deletionTimestamp": _TEXT,
    "deletionGracePeriodSeconds": _NUMBER,
    "labels": _TEXTS,
    "annotations": _TEXTS,
    "ownerReferences": _ANY,
    "finalizers": _ANY,
    "managedFields": _ANY,
}
_TOP = {"apiVersion": _TEXT, "kind": _TEXT, "metadata": _ANY, "immutable": _BOOLEAN}
_KINDS = {
    "ConfigMap": _TOP | {"data": _TEXTS, "binaryData": _DATA},
    "Secret": _TOP | {"data": _DATA, "stringData": _TEXTS, "type": _TEXT},
}
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_OBJECT_NAME = _PREFIX
MAX_NAME = 253
MAX_VALUES = 1024 * 1024
"""Bytes of a ConfigMap's or Secret's values together."""


def identity_problems(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What keeps anything from being an object at all."""
    for field in ("apiVersion", "kind"):
        if not isinstance(manifest.get(field), str) or not manifest[field]:
            yield f"{field}: expected text"
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict):
        yield "metadata: expected an object"
        return
    if not metadata.get("name"):
        yield "metadata.name: is missing"
    yield from _fields(metadata, _METADATA, "metadata.")
    for field in ("labels", "annotations"):
        for name, value in _object(metadata.get(field)).items():
            if not _qualified(name):
                yield f"metadata.{field}: {name!r} is no name for one"
            if field == "labels" and isinstance(value, str) and not _LABEL.fullmatch(value):
                yield f"metadata.labels: {value!r} is no value for one"


def without_nulls(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """As the API server stores it: a null field is none, a null label or annotation is empty."""
    return {
        name: {key: "" if each is None else each for key, each in value.items()} if isinstance(value, dict) else value
        for name, value in metadata.items()
        if value is not None
    }


def supporting_problems(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What keeps a ConfigMap or Secret from being taken."""
    if manifest["apiVersion"] != "v1":
        yield f"apiVersion: a {manifest['kind']} is of v1"
    name = str(manifest["metadata"].get("name"))
    if not _OBJECT_NAME.fullmatch(name) or len(name) > MAX_NAME:
        yield f"metadata.name: {name!r} must be lower case letters, digits, '-' and '.'"
    yield from _fields(manifest, _KINDS[str(manifest["kind"])], "")
    keys: set[str] = set()
    for field in ("data", "binaryData", "stringData"):
        for key in _object(manifest.get(field)):
            if not _DATA_KEY.fullmatch(key) or key == "." or key.startswith(".."):
                yield f"{field}: {key!r} is no key"
            if field == "binaryData" and key in keys:
                yield f"{field}: {key!r} is in data too"
            keys.add(key)
    size = _values_size(manifest)
    if size > MAX_VALUES:
        yield (
            f"data: the values are {size:,} bytes, and a {manifest['kind']} takes {MAX_VALUES:,}; "
            "part them, or build an image that has them"
        )


def _fields(given: Mapping[str, Any], known: Mapping[str, str], where: str) -> Iterator[str]:
    for name, value in given.items():
        kind = known.get(name)
        if kind is None:
            guess = difflib.get_close_matches(name, known, n=1)
            yield f"{where}{name}: no such field" + (f"; did you mean {guess[0]!r}?" if guess else "")
        elif value is None or kind == _ANY:
            continue
        elif kind in (_TEXTS, _DATA):
            yield from _texts(value, kind, where + name)
        elif not _is(value, kind):
            yield f"{where}{name}: expected {kind}"


def _values_size(manifest: Mapping[str, Any]) -> int:
    """Bytes of the values as they are kept: base64 decoded, ``stringData`` in place of ``data``."""
    kept: dict[str, int] = {}
    for field in ("binaryData", "data", "stringData"):
        base64_text = field == "binaryData" or (field == "data" and manifest["kind"] == "Secret")
        for key, value in _object(manifest.get(field)).items():
            kept[key] = _decoded_size(str(value or "")) if base64_text else len(str(value or "").encode())
    return sum(kept.values())


def _decoded_size(text: str) -> int:
    packed = text.replace("\n", "").replace("\r", "")
    return len(packed) // 4 * 3 - packed[-2:].count("=")


def _texts(value: Any, kind: str, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: expected an object"
        return
    for key, each in value.items():
        if each is None:  # the API server's decoder makes it empty
            continue
        if not isinstance(each, str):
            yield f"{where}.{key}: expected text, got {each!r}; put it in quotes"
        elif kind == _DATA and not _base64(each):
            yield f"{where}.{key}: is not base64"


def _is(value: Any, kind: str) -> bool:
    if kind == _BOOLEAN:
        return isinstance(value, bool)
    return isinstance(value, str) if kind == _TEXT else isinstance(value, int) and not isinstance(value, bool)


def _base64(text: str) -> bool:
    try:
        base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _qualified(name: str) -> bool:
    """A label's or annotation's key: a name, and before it perhaps a domain and a slash."""
    prefix, slash, rest = name.rpartition("/")
    domain = not slash or (bool(_PREFIX.fullmatch(prefix)) and len(prefix) <= MAX_NAME)
    return domain and bool(rest) and bool(_LABEL.fullmatch(rest))
