"""Trace context of a request: which trace it belongs to, and whether that trace is recorded. Pure.

The header is W3C Trace Context, ``00-<32 hex trace id>-<16 hex parent id>-<2 hex flags>``. Samplers are those that
OpenTelemetry names in ``OTEL_TRACES_SAMPLER``; their rule for a ratio is the SDK's, so that all who see a trace id
decide alike: the lower 64 bits of the id, as a share of all there are.
"""

from typing import NamedTuple

_SAMPLED = 0x01
_IDS = 1 << 64


class Sampler(NamedTuple):
    """Which traces are recorded: a `ratio` from 0 to 1 of all ids, or, when `by_parent`, what the caller decided."""

    ratio: float = 1.0
    by_parent: bool = True

    def records(self, traceparent: bytes, *, given: bool) -> bool:
        """Whether this well-formed context's trace is recorded; `given`: the caller sent it."""
        if given and self.by_parent:
            return bool(int(traceparent[53:55], 16) & _SAMPLED)
        return int(traceparent[19:35], 16) < round(self.ratio * _IDS)


SAMPLERS = {
    "always_on": Sampler(1.0, by_parent=False),
    "always_off": Sampler(0.0, by_parent=False),
    "traceidratio": Sampler(1.0, by_parent=False),
    "parentbased_always_on": Sampler(),
    "parentbased_always_off": Sampler(0.0),
    "parentbased_traceidratio": Sampler(),
}
"""By the names of ``OTEL_TRACES_SAMPLER``; those of a ratio take it from ``OTEL_TRACES_SAMPLER_ARG``."""


def sampler(name: str, argument: str) -> Sampler:
    """The sampler of these two variables; ``ValueError`` names the one that cannot be read."""
    if name not in SAMPLERS:
        raise ValueError(f"OTEL_TRACES_SAMPLER: {name!r} is none of {', '.join(SAMPLERS)}")
    found = SAMPLERS[name]
    if not name.endswith("traceidratio") or not argument:
        return found
    try:
        ratio = float(argument)
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        raise ValueError(f"OTEL_TRACES_SAMPLER_ARG: {argument!r} is no number from 0 to 1")
    return found._replace(ratio=ratio)


class RequestTrace:
    """What is noted of a request that is traced: for its caller (``Kubewick-Trace: 1``), for a collector, or both."""

    routed_at = 0.0
    """When its function was known, by the data plane's clock; 0 where it never was."""
    instance_timing = b""
    """What the instance said in ``Kubewick-Timing``."""

    def __init__(self, trace_id: bytes, parent_id: bytes, span_id: bytes, call_id: bytes, *, recorded: bool) -> None:
        self.trace_id = trace_id
        self.parent_id = parent_id
        """The caller's span, empty where it told of none."""
        self.span_id = span_id
        """The request's own span."""
        self.call_id = call_id
        """The span of its call to an instance, which is the parent of the function's own."""
        self.recorded = recorded
        """It goes to the collector."""

    @property
    def traceparent(self) -> bytes:
        """What the instance gets."""
        return b"00-%b-%b-%b" % (self.trace_id, self.call_id, b"01" if self.recorded else b"00")


def traced(traceparent: bytes, digits: bytes, *, given: bool, recorded: bool) -> RequestTrace:
    """Of a well-formed context; `digits` are 32 random hexadecimal ones, `given`: the caller sent it."""
    parent = traceparent[36:52] if given else b""
    return RequestTrace(traceparent[3:35], parent, digits[:16], digits[16:32], recorded=recorded)


def phases(timing: bytes) -> list[tuple[str, float]]:
    """Names and milliseconds of a ``Server-Timing`` value; entries without a duration are left out."""
    found = []
    for entry in timing.decode("latin-1").split(","):
        name, _, duration = entry.strip().partition(";dur=")
        if name and duration.replace(".", "", 1).isdecimal():
            found.append((name, float(duration)))
    return found
