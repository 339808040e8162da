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


def function_view(upstream: "Upstream") -> FunctionView:
    """A function as it is at this moment."""
    dispatch = upstream.dispatch
    state, why = _state(upstream)
    return FunctionView(
        namespace=upstream.key.namespace,
        name=upstream.key.name,
        url=f"/function/{upstream.key.namespace}/{upstream.key.name}/",
        visibility="public" if upstream.public else "cluster",
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
        cold_starts=sum(histogram.count for histogram in upstream.cold_starts.values()),
        last_cold_start=_last_cold_start(upstream),
        fallbacks=dict(upstream.fallbacks),
    )


def _last_cold_start(upstream: "Upstream") -> LastColdStart | None:
    if upstream.last_cold_start is None:
        return None
    seconds, path, at = upstream.last_cold_start
    return LastColdStart(round(seconds * 1000, 3), path, round(upstream.plane.clock() - at, 3))


def _state(upstream: "Upstream") -> tuple[State, str]:
    dispatch = upstream.dispatch
    serving = dispatch.serving()
    if serving:
        waiting = f"; {_waiting(upstream)} for a free slot" if dispatch.queue else ""
        return "ready", ("1 instance serves" if serving == 1 else f"{serving} instances serve") + waiting
    if dispatch.failure is not None:
        return "failed", f"{dispatch.failure.reason.value}: {dispatch.failure.message}"
    if dispatch.queue or any(slot.live for slot in dispatch.slots.values()):
        return "starting", f"{_waiting(upstream)} for the first instance"
    return "idle", "at zero; the next request starts an instance"


def _waiting(upstream: "Upstream") -> str:
    count = len(upstream.dispatch.queue)
    return "1 request waits" if count == 1 else f"{count} requests wait"
