"""What a Function asks of the autoscaler, made ready to be used every second."""

import math

from msgspec import Struct

from wick_api.function import Function, FunctionSpec
from wick_api.scale import Metric, Scale

RPS = 200.0
"""Requests a second one instance should carry where nobody says; Knative's default."""
PERCENT = 80.0
"""Of the requested CPU or memory; the default of the Kubernetes autoscaler."""
QUEUE = 10.0
OWN_SIGNALS = frozenset({"concurrency", "rps", "queue"})
"""Read from the routers; the others come from instances or from Prometheus."""
USAGE = frozenset({"cpu", "memory"})
_LEAST = 0.01
"""Knative's smallest target."""


class Goal(Struct, frozen=True):
    """One metric and how much of it one instance should carry."""

    metric: Metric
    target: float


class ScalingPolicy(Struct, frozen=True):
    scale: Scale
    goals: tuple[Goal, ...]
    panic_window: float
    """Seconds."""
    usage: bool
    """CPU or memory is asked for, so the instances are scraped too."""
    outside: bool
    """Some metric does not come from the routers."""


def policy(function: Function) -> ScalingPolicy:
    """Resolve defaults that depend on other fields of the Function."""
    spec, scale = function.spec, function.spec.scale
    metrics = scale.metrics or (Metric(type=scale.metric, target=scale.target),)
    return ScalingPolicy(
        scale=scale,
        goals=tuple(Goal(metric, goal(metric, spec)) for metric in metrics),
        panic_window=panic_window(scale),
        usage=any(metric.type in USAGE for metric in metrics),
        outside=any(metric.type not in OWN_SIGNALS for metric in metrics),
    )


def panic_window(scale: Scale) -> float:
    """Whole seconds, half a second rounded up as Go does, and at least one."""
    return float(max(1, math.floor(scale.window * scale.panic.window / 100 + 0.5)))


def goal(metric: Metric, spec: FunctionSpec) -> float:
    """The target of one instance, utilisation applied; Knative's ``resources/target.go``."""
    share = spec.scale.utilization / 100
    match metric.type:
        case "concurrency":
            return max(_LEAST, min(metric.target or spec.concurrency, spec.concurrency) * share)
        case "rps":
            return max(_LEAST, (metric.target or RPS) * share)
        case "queue":
            return metric.target or QUEUE
        case "cpu" | "memory":
            return metric.target or PERCENT
        case "prometheus":
            return metric.target or 1.0
