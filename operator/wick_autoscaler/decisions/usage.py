"""CPU and memory of one function's instances, from the runtimes' own metrics, in per cent of what each requests."""

from collections.abc import Mapping

from msgspec import Struct

from wick_api import metric, quantity
from wick_api.function import FunctionSpec
from wick_autoscaler.decisions import exposition

CORES = 1.0
"""What 100 % is for an instance that neither requests nor limits CPU."""
BYTES = 256 * 1024 * 1024.0
"""The same for memory."""
_CPU, _MEMORY = (f"{name}{{".encode() for name in (metric.CPU_SECONDS, metric.MEMORY_BYTES))


class Used(Struct, frozen=True):
    """One instance's metrics at one moment."""

    cpu_seconds: float
    memory_bytes: float


def read(text: bytes) -> Used | None:
    """The two series of a runtime; None when one of them is missing."""
    cpu, memory = (
        [sample.value for line in text.split(b"\n") if line.startswith(ours) and (sample := exposition.read(line))]
        for ours in (_CPU, _MEMORY)
    )
    return Used(sum(cpu), sum(memory)) if cpu and memory else None


def requested(spec: FunctionSpec, resource: str, otherwise: float) -> float:
    """What one instance was promised of `resource`: the request, else the limit, else `otherwise`."""
    for kind in ("requests", "limits"):
        if (amount := spec.resources.get(kind, {}).get(resource)) and (number := quantity.parse(amount)):
            return float(number)
    return otherwise


class Usage:
    """All instances of a function, look after look."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[str, Used] = {}

    def feed(self, used: Mapping[str, Used]) -> tuple[float, float]:
        """CPU-seconds spent since the last look, and bytes held, over all instances, by URL.

        An instance that is new or began anew counts from its own zero only if it was seen before: the CPU its start
        took is no reason for another one.
        """
        seconds = sum(
            max(now.cpu_seconds - before.cpu_seconds, 0.0)
            for url, now in used.items()
            if (before := self._last.get(url)) is not None
        )
        self._last = dict(used)
        return seconds, sum(now.memory_bytes for now in used.values())
