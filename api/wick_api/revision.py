"""A revision: what runs, named by its content and kept in an immutable ConfigMap, one for each.

The ConfigMap ``<function>-<revision>`` holds, in `data`:

- each source file under its flat key (a ConfigMap's keys know no folders): ``pkg/util.py`` is kept as ``pkg_-util.py``;
- `TEMPLATE`, the pod template as it was when the revision was made, so that rolling back, repairing drift and an
  upgrade of Kubewick itself run exactly what ran before.

Its annotation `INPUT` is the digest of what the Function's author wrote (spec and source, as far as they decide what
runs): two revisions with one input differ only by what the installation adds, for instance a newer runtime image.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from wick_api import names

TEMPLATE = "_template.json"  # no file has this key: an underscore in a file name is written twice
INPUT = f"{names.GROUP}/input"
LENGTH = 10


class Revision(Struct, frozen=True):
    """One revision's content."""

    name: str
    files: Mapping[str, str]
    """Source file name to text; empty for image functions."""
    template: Mapping[str, Any]
    """The pod template, complete but for the checksum of Secrets and ConfigMaps used as environment."""


def unpack(config_map: Mapping[str, Any]) -> Revision:
    """Read a revision from its ConfigMap; `ValueError` or `KeyError` where somebody else wrote it."""
    data = config_map.get("data", {})
    files = {from_key(key): text for key, text in data.items() if key != TEMPLATE}
    return Revision(config_map["metadata"]["labels"][names.REVISION], files, json.loads(data[TEMPLATE]))


def pack(revision: Revision) -> dict[str, str]:
    """The `data` of a revision's ConfigMap."""
    return {**{to_key(file): text for file, text in revision.files.items()}, TEMPLATE: canonical(revision.template)}


def to_key(file: str) -> str:
    """A file's key in a ConfigMap; `from_key` reads it back."""
    return file.replace("_", "__").replace("/", "_-")


def from_key(key: str) -> str:
    """The file name `to_key` was given; `ValueError` for a key it never makes."""
    parts = key.split("__")
    if any("_" in part.replace("_-", "") for part in parts):
        raise ValueError(f"{key!r} is not the key of a source file")
    return "_".join(part.replace("_-", "/") for part in parts)


def digest(*values: Any) -> str:
    """SHA-256 over JSON values, whatever the order of their mappings."""
    return hashlib.sha256(canonical(values).encode()).hexdigest()


def canonical(value: Any) -> str:
    """JSON of which equal values have equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
