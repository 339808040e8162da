"""A run in numbers: what callers felt and what it cost."""

import math
from collections.abc import Sequence

from msgspec import Struct

from wick_autoscaler.simulate.model import SimulatedRun


class Outcome(Struct, frozen=True):
    """Times in seconds."""

    policy: str
    trace: str
    requests: int
    p50: float
    p95: float
    p99: float
    worst: float
    most_instances: int
    most_waiting: int
    instance_seconds: float
    starts: int
    changes: int


def outcome(run: SimulatedRun) -> Outcome:
    """Summarise a run."""
    latencies = sorted(run.latencies)
    return Outcome(
        policy=run.policy,
        trace=run.trace,
        requests=len(latencies),
        p50=percentile(latencies, 50),
        p95=percentile(latencies, 95),
        p99=percentile(latencies, 99),
        worst=latencies[-1] if latencies else 0.0,
        most_instances=max((sample.replicas for sample in run.samples), default=0),
        most_waiting=max((sample.waiting for sample in run.samples), default=0),
        instance_seconds=run.instance_seconds,
        starts=run.starts,
        changes=run.changes,
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile; 0 of nothing."""
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)] if ordered else 0.0
