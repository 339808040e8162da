"""What a pool is to be: from the installation's configuration, and a namespace's annotation over it.

The configuration is a JSON object by runtime::

    {"python": {"min": 1, "max": 10, "dormant": 10, "preload": ["json"], "resources": {"requests": {"cpu": "10m"}}}}

A namespace may say otherwise for itself in the annotation ``kubewick.dev/pool``, in the same form; ``{"python": {"max":
0}}`` means no pool there. A runtime without an entry has no pool.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from wick_api import names

ANNOTATION = f"{names.GROUP}/pool"

_SMALL = {"requests": {"cpu": "10m", "memory": "48Mi"}, "limits": {"memory": "256Mi"}}


class PoolSettingsInvalid(ValueError):
    """Settings that cannot be read; the message names the entry."""


class PoolSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """One runtime's pool in one namespace."""

    min: Annotated[int, Meta(ge=0, le=1000)] = 1
    """Warm pods kept while nothing happens."""
    max: Annotated[int, Meta(ge=0, le=1000)] = 10
    """Most warm pods, however many starts there are; 0: no pool."""
    dormant: Annotated[int, Meta(ge=0, le=1000)] = 0
    """Most pods kept besides that load the runtime only when their function comes; see `sizing`."""
    preload: tuple[str, ...] = ()
    """Modules the zygote imports once, so that functions have them for the price of a fork."""
    resources: Mapping[str, Any] = msgspec.field(default_factory=lambda: _SMALL)
    """While waiting; a claimed pod is resized to what its function asks for. Functions with a higher memory limit
    than this one's start through their Deployment."""


def installation(text: str) -> dict[str, PoolSettings]:
    """Read the configuration's value."""
    try:
        pools = msgspec.json.decode(text or "{}", type=dict[str, PoolSettings])
    except msgspec.DecodeError as error:
        raise PoolSettingsInvalid(str(error)) from error
    _check(pools)
    return pools


def namespace(pools: Mapping[str, PoolSettings], annotations: Mapping[str, str]) -> dict[str, PoolSettings]:
    """The installation's pools with a namespace's changes; `PoolSettingsInvalid` where that cannot be read."""
    text = annotations.get(ANNOTATION)
    if text is None:
        return dict(pools)
    try:
        changes = msgspec.json.decode(text, type=dict[str, dict[str, Any]])
        merged = {
            runtime: msgspec.convert(
                {**msgspec.to_builtins(pools.get(runtime, PoolSettings())), **changes.get(runtime, {})}, PoolSettings
            )
            for runtime in pools.keys() | changes.keys()
        }
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise PoolSettingsInvalid(f"annotation {ANNOTATION}: {error}") from error
    _check(merged)
    return merged


def _check(pools: Mapping[str, PoolSettings]) -> None:
    for runtime, settings in pools.items():
        if settings.max and settings.max < settings.min:
            raise PoolSettingsInvalid(f"{runtime}: max {settings.max} is less than min {settings.min}")
