"""Six load shapes that tell policies apart, as rates over time, and the requests they make.

Requests of a shape come evenly for its rate, so that what differs between policies is the policies; ``poisson`` alone
draws their times. Each service time is drawn from an exponential distribution around its mean.
"""

import math
from collections.abc import Callable, Iterator
from random import Random

from msgspec import Struct

from wick_autoscaler.simulate.trace import Trace, TracedRequest

Rate = Callable[[float], float]
"""Requests a second, as a share of the peak, at a share of the length."""

_STEP = 0.05
"""Seconds over which a rate is taken as constant."""


def _through(*points: tuple[float, float]) -> Rate:
    """Straight lines through points of share of the length and share of the peak; a repeated share is a jump."""

    def rate(share: float) -> float:
        after = next((index for index, (at, _) in enumerate(points) if at > share), len(points))
        if after in {0, len(points)}:
            return points[max(0, after - 1)][1]
        (start, low), (end, high) = points[after - 1], points[after]
        return low + (high - low) * (share - start) / (end - start)

    return rate


_SPIKES = (
    (start / 5 + at, level) for start in range(5) for at, level in ((0, 1), (0.016, 1), (0.016, 0.1), (0.2, 0.1))
)
SHAPES: dict[str, Rate] = {
    "step": _through((0, 0.1), (0.25, 0.1), (0.25, 1), (1, 1)),
    "ramp": _through((0, 0), (0.8, 1), (1, 1)),
    "spike": _through(*_SPIKES),
    "sine": lambda share: 0.55 - 0.45 * math.cos(6 * math.pi * share),
    "poisson": _through((0, 0.5)),
    "flash": _through((0, 0), (0.2, 0), (0.2, 1), (0.3, 1), (0.35, 0.3), (0.45, 0.05), (0.6, 0), (1, 0)),
}
"""step: a tenth, then all; ramp: nothing to all; spike: five short bursts over a tenth; sine: three waves;
poisson: half, at random times; flash: nothing, a crowd out of nowhere, decay, nothing."""


class Load(Struct, frozen=True):
    """How much of a shape there is."""

    peak: float = 100.0
    """Requests a second at most."""
    length: float = 600.0
    """Seconds."""
    service: float = 0.5
    """Mean seconds that serving a request takes."""
    seed: int = 1


def shaped(name: str, load: Load) -> Trace:
    """The trace of a shape; `KeyError` for one that is not in `SHAPES`."""
    random, rate = Random(load.seed), SHAPES[name]  # noqa: S311 - a simulation
    times = _poisson(rate, load, random) if name == "poisson" else _even(rate, load)
    return Trace(name, [TracedRequest(at, random.expovariate(1 / load.service)) for at in times], load.length)


def _even(rate: Rate, load: Load) -> Iterator[float]:
    """A request each time the integral of the rate passes an integer."""
    owed = 0.0
    for step in range(int(load.length / _STEP)):
        now = step * _STEP
        owed += rate(now / load.length) * load.peak * _STEP
        due = int(owed)
        yield from (now + _STEP * (number + 0.5) / due for number in range(due))
        owed -= due


def _poisson(rate: Rate, load: Load, random: Random) -> Iterator[float]:
    """Arrivals at the peak rate, thinned to the shape's."""
    now = random.expovariate(load.peak)
    while now < load.length:
        if random.random() < rate(now / load.length):
            yield now
        now += random.expovariate(load.peak)
