"""A function's environment from the ConfigMaps and Secrets in the given files, by the kubelet's rules
(`wick_api.environment`). Pure.
"""

import base64
import binascii
from collections.abc import Mapping

from wick_api.environment import Data, Place, Unresolvable, labelled, resolve
from wick_api.function import Function, Manifest
from wick_api.names import Key
from wick_api.reason import Reason

Unrunnable = Unresolvable
"""This function cannot run here as it is written; the message says what to change."""

Objects = Mapping[Key, Manifest]
"""ConfigMaps or Secrets as written; read only when a function names one, so a broken one harms nobody else."""

_HERE = Place("the local platform", "is in none of the files given to wick up")


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
    sources = {"ConfigMap": (config_maps, config_map_data), "Secret": (secrets, secret_data)}

    def read(kind: str, name: str) -> Data | None:
        objects, data = sources[kind]
        manifest = objects.get(Key(function.metadata.namespace, name))
        return None if manifest is None else data(manifest)

    return resolve(function.spec.env_from, function.spec.env, read, lambda path: _field(function, path), _HERE)


def _field(function: Function, path: str) -> str | None:
    metadata = function.metadata
    known = {
        "metadata.name": metadata.name,
        "metadata.namespace": metadata.namespace,
        "spec.nodeName": "localhost",
        "status.hostIP": "127.0.0.1",
        "status.podIP": "127.0.0.1",
    }
    return known[path] if path in known else labelled(path, metadata.labels, metadata.annotations)
