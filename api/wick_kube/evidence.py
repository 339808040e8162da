"""Fetch what a pod's manifest does not say: its Events, its last words, its runtime's own report.

`wick_api.diagnosis` says what is worth fetching and reads the result; this is the shell around it.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec

from wick_api import names
from wick_api.diagnosis import Evidence, Needs
from wick_kube.cluster import Cluster
from wick_kube.error import ApiError, ApiUnreachable
from wick_kube.resource import CORE_EVENTS

TIMEOUT = 2.0
"""Seconds for each of the three; what does not come in time is left out, and the diagnosis does with less."""

_MOST = 65536
"""Bytes of a report that are read: it comes from a pod."""


async def gather(cluster: Cluster, session: aiohttp.ClientSession, pod: Mapping[str, Any], needs: Needs) -> Evidence:
    """Fetch what `needs` names, side by side."""
    events, last_log, report = await asyncio.gather(
        _events(cluster, pod) if needs.events else _nothing([]),
        _last_log(cluster, pod) if needs.last_log else _nothing(""),
        readyz(session, pod) if needs.readyz else _nothing({}),
    )
    return Evidence(events=events, last_log=last_log, readyz=report)


async def _nothing(empty: Any) -> Any:
    return empty


async def _events(cluster: Cluster, pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    metadata = pod["metadata"]
    try:
        async with asyncio.timeout(TIMEOUT):
            return await cluster.list(
                CORE_EVENTS, metadata["namespace"], fields=f"involvedObject.uid={metadata['uid']}"
            )
    except (ApiError, ApiUnreachable, TimeoutError):
        return []


async def _last_log(cluster: Cluster, pod: Mapping[str, Any]) -> str:
    """The last line with words of the container that ended: the previous one if it was restarted since, else this."""
    metadata = pod["metadata"]
    statuses = pod.get("status", {}).get("containerStatuses") or [{}]
    restarted = "terminated" not in statuses[0].get("state", {})
    try:
        async with asyncio.timeout(TIMEOUT):
            text = await cluster.logs(
                metadata["namespace"], metadata["name"], container=names.CONTAINER, previous=restarted, lines=5
            )
    except (ApiUnreachable, TimeoutError):
        return ""
    return next((line.strip() for line in reversed((text or "").splitlines()) if line.strip()), "")


async def readyz(session: aiohttp.ClientSession, pod: Mapping[str, Any]) -> dict[str, Any]:
    """The runtime's report of itself; empty where it does not answer in time."""
    address = pod.get("status", {}).get("podIP")
    if not address:
        return {}
    host = f"[{address}]" if ":" in address else address
    url = f"http://{host}:{names.CONTROL_PORT}/readyz"
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as response:
            return msgspec.json.decode(await response.content.read(_MOST), type=dict[str, Any])
    except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError, msgspec.ValidationError):
        return {}
