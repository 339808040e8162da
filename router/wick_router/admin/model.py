"""What the admin API shows of the data plane, as plain values."""

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from wick_router.proxy.upstream import Upstream

State = Literal["idle", "starting", "ready", "failed"]


class InstanceView(Struct, frozen=True, rename="camel"):
    """One instance."""

    id: str
    host: str
    port: int
    revision: str
    ready: bool
    in_flight: int


class LastColdStart(Struct, frozen=True, rename="camel"):
    """The last start from zero that a request waited for."""

    milliseconds: float
    path: str
    """How the instance came up: ``deployment``, ``warm-pool`` or ``process``."""
    ago: float
    """Seconds since the instance was ready."""


class FunctionView(Struct, frozen=True, rename="camel"):
    """One function, as in docs/contracts.md."""

    namespace: str
    name: str
    url: str
    visibility: str
    """``cluster`` or ``public``."""
    state: State
    why: str
    instances: list[InstanceView]
    in_flight: int
    queued: int
    cold_starts: int
    last_cold_start: LastColdStart | None
    fallbacks: dict[str, int]


def function_view(lane: "Upstream") -> FunctionView:
    """A function as it is at this moment."""
    dispatch = lane.dispatch
    state, why = _state(lane)
    return FunctionView(
        namespace=lane.key.namespace,
        name=lane.key.name,
        url=f"/function/{lane.key.namespace}/{lane.key.name}/",
        visibility="public" if lane.public else "cluster",
        state=state,
        why=why,
        instances=[
            InstanceView(
                id=slot.instance.id,
                host=slot.instance.host,
                port=slot.instance.port,
                revision=slot.instance.revision,
                ready=slot.ready and slot.live,
                in_flight=slot.in_flight,
            )
            for slot in dispatch.slots.values()
        ],
        in_flight=dispatch.in_flight,
        queued=len(dispatch.queue),
        cold_starts=sum(histogram.count for histogram in lane.cold_starts.values()),
        last_cold_start=_last_cold_start(lane),
        fallbacks=dict(lane.fallbacks),
    )


def _last_cold_start(lane: "Upstream") -> LastColdStart | None:
    if lane.last_cold_start is None:
        return None
    seconds, path, at = lane.last_cold_start
    return LastColdStart(round(seconds * 1000, 3), path, round(lane.plane.clock() - at, 3))


def _state(lane: "Upstream") -> tuple[State, str]:
    dispatch = lane.dispatch
    serving = dispatch.serving()
    if serving:
        waiting = f"; {_waiting(lane)} for a free slot" if dispatch.queue else ""
        return "ready", ("1 instance serves" if serving == 1 else f"{serving} instances serve") + waiting
    if dispatch.failure is not None:
        return "failed", f"{dispatch.failure.reason.value}: {dispatch.failure.message}"
    if dispatch.queue or any(slot.live for slot in dispatch.slots.values()):
        return "starting", f"{_waiting(lane)} for the first instance"
    return "idle", "at zero; the next request starts an instance"


def _waiting(lane: "Upstream") -> str:
    count = len(lane.dispatch.queue)
    return "1 request waits" if count == 1 else f"{count} requests wait"
