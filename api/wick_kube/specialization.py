"""Give a warm pod its function: the one call to its control port, made by routers and by the operator.

The pod decides: it takes one function, ever, from who knows its token. See `wick_api.warm`.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from wick_api import names
from wick_api.environment import needed
from wick_api.revision import Revision
from wick_kube import control_port
from wick_kube.cluster import Cluster
from wick_kube.resource import CONFIG_MAPS

LOAD_SECONDS = 30.0
"""The longest a function's code may take to load in a warm pod."""

OK, TAKEN = 200, 409


class OrderLoaded(Struct, frozen=True):
    """The pod serves the function; steps in order, in milliseconds."""

    phases: tuple[tuple[str, float], ...]


class OrderFailed(Struct, frozen=True):
    """The code does not load; the message names file and line."""

    message: str


class OrderRefused(Struct, frozen=True):
    """The pod did not take it; another may."""

    taken: bool
    """It has a function already; else it did not answer, or not sensibly."""


class _Report(Struct):
    """What the runtime answers to ``POST /specialize``, well or not."""

    state: str = ""
    reason: str = ""
    message: str = ""
    file: str = ""
    line: int = 0
    phases: dict[str, float] = msgspec.field(default_factory=dict)


async def specialize(
    pod: Mapping[str, Any], order: Mapping[str, Any], token: str
) -> OrderLoaded | OrderFailed | OrderRefused:
    """Give the pod what `wick_api.warm.order` made; at most `LOAD_SECONDS`."""
    began = time.monotonic()
    answer = await _post(pod, order, token)
    if answer is None:
        return OrderRefused(taken=False)
    status, report = answer
    if status == OK:
        steps = tuple(report.phases.items())
        transfer = (time.monotonic() - began) * 1000 - sum(duration for _, duration in steps)
        return OrderLoaded((("transfer", max(0.0, transfer)), *steps))
    if report.state == "failed" and status != TAKEN:
        place = f"{report.file}:{report.line}: " if report.file else ""
        return OrderFailed(f"The code cannot be loaded: {place}{report.message}")
    return OrderRefused(taken=status == TAKEN)


async def config_maps(cluster: Cluster, namespace: str, revision: Revision) -> dict[str, Any]:
    """What a revision's environment is made from, by name; `ApiError` or `Unreachable` where it cannot be read."""
    wanted = sorted(name for _, name in needed(revision.template["spec"]["containers"][0]))
    found = await asyncio.gather(*(cluster.find(CONFIG_MAPS, namespace, name) for name in wanted))
    return {name: each.get("data") or {} for name, each in zip(wanted, found, strict=True) if each}


async def _post(pod: Mapping[str, Any], order: Mapping[str, Any], token: str) -> tuple[int, _Report] | None:
    try:
        status, body = await control_port.post(
            pod["status"]["podIP"],
            names.CONTROL_PORT,
            "/specialize",
            token,
            msgspec.json.encode(order),
            LOAD_SECONDS,
        )
        return status, msgspec.json.decode(body, type=_Report)
    except (control_port.ControlPortBroken, OSError, msgspec.DecodeError):
        return None
