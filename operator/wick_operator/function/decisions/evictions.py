"""Instances that nodes evicted of late; pure.

Kubernetes keeps an evicted pod as a record (phase ``Failed``) while its ReplicaSet makes the next one. A function that
fills its disk again and again serves in between, so this is told beside what else its status says.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from msgspec import structs

from wick_api import diagnosis
from wick_api.diagnosis import Trouble
from wick_api.reason import Reason

MEMORY = 10
"""Minutes for which an eviction is told."""
AT_MOST = 50
"""Records that are looked at: more would say the same."""


def recent(ended: Iterable[Mapping[str, Any]], revision: str, since: str) -> Trouble | None:
    """The latest eviction of this revision's instances, and how many there were; `since` is RFC 3339 in UTC.

    Kubernetes writes all its times so, to the second: their order as texts is that in time.
    """
    found = []
    for pod in islice(ended, AT_MOST):
        moment, trouble = diagnosis.ended_at(pod), diagnosis.of_pod(pod)
        if trouble and trouble.reason is Reason.EVICTED and trouble.revision == revision and moment > since:
            found.append((moment, trouble.message, trouble))
    if not found:
        return None
    _, message, latest = max(found, key=lambda each: each[:2])
    often = f" This happened {len(found)} times in {MEMORY} minutes." if len(found) > 1 else ""
    return structs.replace(latest, message=message + often, pod="")
