"""Who leads, decided from a Lease. Pure: how long a record has been unchanged is measured by who asks.

                 free, released or not renewed for `duration`              not renewed for `deadline`
    following ----------------------------------------------> leading --------------------------------> lost: stop
                                                                 |  stopped in peace: released, the next leads at once

Clocks of different machines are never compared: a follower takes over once it has itself seen the same record for the
whole `duration`. A leader stops `duration - deadline` before that can happen at the earliest, and gives no call to the
API server more time than it has left.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from msgspec import Struct

from wick_api import names


class Record(Struct, frozen=True):
    """The part of a Lease that decides."""

    holder: str = ""
    duration: float = 0.0
    renewed: str = ""
    transitions: int = 0
    version: str = ""
    """The Lease's resourceVersion."""


class Move(Enum):
    """What a replica does about a Lease it has just read."""

    RENEW = "renew"
    TAKE = "take"
    WAIT = "wait"


def move(record: Record, me: str, unchanged: float) -> Move:
    """What to do; `unchanged` is for how many seconds this replica has seen the very same record."""
    if record.holder == me:
        return Move.RENEW
    if not record.holder or unchanged >= record.duration:
        return Move.TAKE
    return Move.WAIT


def read(lease: Mapping[str, Any]) -> Record:
    """A Lease's record."""
    spec = lease.get("spec", {})
    return Record(
        holder=spec.get("holderIdentity") or "",
        duration=float(spec.get("leaseDurationSeconds") or 0),
        renewed=spec.get("renewTime") or "",
        transitions=int(spec.get("leaseTransitions") or 0),
        version=lease.get("metadata", {}).get("resourceVersion", ""),
    )


def written(record: Record, me: str, duration: float, now: str) -> dict[str, Any]:
    """The `spec` that makes or keeps this replica the leader; `now` is RFC 3339 with microseconds, for people."""
    spec: dict[str, Any] = {"holderIdentity": me, "leaseDurationSeconds": max(1, round(duration)), "renewTime": now}
    if record.holder != me:
        spec |= {"acquireTime": now, "leaseTransitions": record.transitions + 1}
    return spec


def manifest(namespace: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """A whole Lease."""
    labels = {names.PART_OF: "kubewick", names.COMPONENT: "operator"}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": dict(spec)}
