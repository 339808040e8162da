"""The volumes of a function's pod, and what comes without one.

The kubelet looks at a pod's volumes every 300 ms and begins with the pod when all are there; with a pod that has none
it begins at once. That is a quarter of a second of each start, so volumes are left out where nothing is lost:

    what is needed        comes                             as a volume all the same
    /tmp                  with the image (its ``VOLUME``)   of an author's image; where ephemeral storage is counted
    the source            as environment variables          where it is large, or holds what no variable can;
    Secrets, ConfigMaps   as volumes

`OperatorConfig.image_volumes` off: everything as a volume.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from wick_api import names
from wick_api.function import Function, FunctionSpec, Mount
from wick_api.revision import to_key
from wick_operator.config import OperatorConfig

Manifest = dict[str, Any]

TMP = "tmp"
SOURCE = "source"

MOST_FILES = 64
LARGEST_FILE = 64 * 1024
"""Bytes; Linux takes 128 KiB in one variable, name and all."""
LARGEST_SOURCE = 256 * 1024
"""Bytes of all files; Linux takes 2 MiB in all variables and arguments, of which the author's own may be many."""
_COUNTED = "ephemeral-storage"
"""A resource that folders of an image do not count against."""


class Needed(Struct, frozen=True):
    """Which of a pod's folders are volumes of its own, beside what the author mounts."""

    tmp: bool
    source: bool


def needed(
    spec: FunctionSpec, config: OperatorConfig, files: Mapping[str, str], resources: Mapping[str, Any]
) -> Needed:
    """`resources` are the container's, defaults and all."""
    if spec.image is not None:
        return Needed(tmp=True, source=False)
    counted = any(_COUNTED in part for part in resources.values())
    return Needed(
        tmp=counted or not config.image_volumes,
        source=not config.image_volumes or not fit_the_environment(files),
    )


def fit_the_environment(files: Mapping[str, str]) -> bool:
    """Whether these files can be given to a process as variables."""
    sizes = [len(text.encode()) for text in files.values()]
    return (
        len(sizes) <= MOST_FILES
        and max(sizes, default=0) <= LARGEST_FILE
        and sum(sizes) <= LARGEST_SOURCE
        and not any("\0" in text for text in files.values())
    )


def mounts(spec: FunctionSpec, wanted: Needed) -> list[Manifest]:
    """Where the container has its volumes."""
    found: list[Manifest] = []
    if wanted.tmp:
        found.append({"name": TMP, "mountPath": "/tmp"})  # noqa: S108 - a volume of the pod's own
    if wanted.source:
        found.append({"name": SOURCE, "mountPath": names.CODE_PATH, "readOnly": True})
    for number, (_, mount) in enumerate(_given(spec)):
        found.append({"name": f"mount-{number}", "mountPath": mount.mount_path, "readOnly": True})
    return found


def volumes(function: Function, wanted: Needed, files: Mapping[str, str], revision: str) -> list[Manifest]:
    """The pod's volumes."""
    found: list[Manifest] = []
    if wanted.tmp:
        found.append({"name": TMP, "emptyDir": {}})
    if wanted.source:
        items = [{"key": to_key(file), "path": file} for file in sorted(files)]
        found.append({"name": SOURCE, "configMap": {"name": names.source(function.key, revision), "items": items}})
    for number, (kind, mount) in enumerate(_given(function.spec)):
        found.append({"name": f"mount-{number}", kind: _named(kind, mount)})
    return found


def _named(kind: str, mount: Mount) -> Manifest:
    name_field = "secretName" if kind == "secret" else "name"
    return {name_field: mount.name, **({"optional": True} if mount.optional else {})}


def _given(spec: FunctionSpec) -> list[tuple[str, Mount]]:
    """All mounted Secrets and ConfigMaps by their folder, so that the order they are written in does not matter."""
    mounts = [*(("secret", mount) for mount in spec.secrets), *(("configMap", mount) for mount in spec.config_maps)]
    return sorted(mounts, key=lambda pair: pair[1].mount_path)
