"""Knative's defaults as a policy, for comparison: same windows and rates, its own period and reading of zero.

Target 100 or the container's own limit, 70 %; 60 s and 6 s windows; a decision each 2 s; from zero, one instance at
once (the activator's push) and the rest by the windows; zero after the stable window (the fast path of its 60 to 95 s).
"""

from msgspec import structs

from wick_api.function import Function
from wick_api.scale import Scale
from wick_autoscaler.simulate.model import SimulatedPolicy

TARGET = 100.0


def knative(function: Function) -> SimulatedPolicy:
    """What Knative would do with the same container and the same bounds."""
    scale = Scale(min=function.spec.scale.min, max=function.spec.scale.max, target=TARGET)
    spec = structs.replace(function.spec, scale=scale)
    return SimulatedPolicy("knative", structs.replace(function, spec=spec), period=2.0, pokes=False)
