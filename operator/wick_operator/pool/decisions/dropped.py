"""Hastens the end of pods that were told to go before they had an address.

A ReplicaSet that is given a warm pod drops the one it had made meanwhile. If that one's container is started in the
same moment, its SIGTERM may come before the process that is to hear it; PID 1 never sees such a signal, and the pod
would stay for its function's whole grace period. Without an address it can't have had a request, so nothing is lost:

```
   leaving, no address --PATIENCE, still there--> DELETE with a grace of `GRACE`, once
```
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from wick_operator.observed import snapshot

PATIENCE = 3.0
"""Seconds for which a pod may end by itself."""
GRACE = 1
"""Seconds of grace it gets then."""


class Leaving(Struct):
    """A pod on its way out."""

    pod: snapshot.PodSnapshot
    due: float | None
    """When it is hastened; None: it had an address, or was hastened already."""


class Dropped:
    """Which pods to hasten; pure, seconds come in."""

    def __init__(self) -> None:
        self._leaving: dict[str, Leaving] = {}

    def look(self, pods: Iterable[snapshot.PodSnapshot], now: float) -> list[snapshot.PodSnapshot]:
        """Of all pods that are leaving now, those to be hastened; each is named once."""
        present = {pod.uid: pod for pod in pods}
        self._leaving = {uid: each for uid, each in self._leaving.items() if uid in present}
        for uid, pod in present.items():
            if uid not in self._leaving:
                self._leaving[uid] = Leaving(pod, now + PATIENCE if unreachable(pod.manifest()) else None)
        due = [each for each in self._leaving.values() if each.due is not None and each.due <= now]
        for each in due:
            each.due = None
        return [each.pod for each in due]


def unreachable(pod: Mapping[str, Any]) -> bool:
    """Whether the pod was told to go before anybody could speak to it."""
    return "deletionTimestamp" in pod["metadata"] and not pod.get("status", {}).get("podIP")
