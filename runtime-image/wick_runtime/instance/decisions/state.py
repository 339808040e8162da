"""The states of an instance, and how each is told: on the control port, and to requests that cannot be served."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from wick_runtime.http.message.refusal import ErrorAnswer


class InstanceState(StrEnum):
    """See the module."""

    POOL = "pool"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"
    DRAINING = "draining"


BLOCKED = "an async handler blocks the event loop; what it waits for needs 'await' or asyncio.to_thread"
SAID = {
    InstanceState.LOADING: {"reason": "Loading", "message": "the function's code is being loaded"},
    InstanceState.DRAINING: {"reason": "Draining", "message": "the instance is shutting down"},
}


def readiness(
    state: InstanceState, failure: Mapping[str, Any], port: int, how: str, *, blocked: bool
) -> tuple[int, dict[str, Any]]:
    """What ``/readyz`` answers; `how` handler processes come to be, if there are any; `blocked` is the event loop."""
    if state is InstanceState.READY and blocked:
        return 503, {"state": state, "reason": "EventLoopBlocked", "message": BLOCKED, "file": "", "line": 0}
    if state is InstanceState.READY:
        return 200, {"state": state, "port": port, **forking(how)}
    if state is InstanceState.POOL:
        return 200, {"state": state, "message": "waiting for POST /specialize"}
    said = {"reason": "", "message": "", "file": "", "line": 0, **SAID.get(state, {})}
    return 503, {"state": state, **said, **(failure if state is InstanceState.FAILED else {})}


def forking(how: str) -> dict[str, Any]:
    """Whether handler processes are forked from one that loaded the code, and why; nothing where there are none."""
    return {"forking": how} if how else {}


def taken(state: InstanceState) -> tuple[int, dict[str, Any]]:
    """What an order is answered that comes too late."""
    return 409, {"state": state, "reason": "AlreadySpecialized", "message": "this instance has a function"}


def refusal(failure: Mapping[str, Any]) -> ErrorAnswer:
    """What requests are told when the code could not be loaded."""
    place = f"{failure['file']}:{failure['line']}: " if failure.get("file") and failure.get("line") else ""
    return ErrorAnswer(503, "cannot-start", f"{place}{failure.get('message', '')}", refused="failed", extra=failure)
