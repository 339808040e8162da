"""How many instances one function should have: one pure function of its policy and of what was seen.

`decide` follows Knative's pod autoscaler step by step (``pkg/autoscaler/scaling/autoscaler.go``), then adds what
Knative keeps elsewhere or lacks. In order:

    wanted   = ceil(stable average / target), the largest over all signals          (Knative's dspc)
    burst    = the same of the short window                                         (dppc)
    both within [floor(ready / down_rate), ceil(up_rate * ready)], at least `activation` when there is any load
    panic    : burst / ready >= threshold starts or prolongs it; it ends a window later; while it lasts, never down
    delay    : never below the most that was wanted within `down_delay`
    -------------------------------------------------------------------------------- Knative's ends here
    blind    : a router or a metric did not answer -> never down
    settling : this autoscaler has watched for less than a window -> never down
    idle     : no demand for `idle` -> the floor, at once
    in use   : anything in flight or waiting -> at least one
    bounds   : floor (`min`, or a schedule's or the prediction's) .. `max`

Every step is monotone in the load, so the whole is: more load never means fewer instances.
"""

import math
from enum import StrEnum

from msgspec import Struct

from wick_api.scale import Scale

_MOST = 1_000_000
"""Above any `max`; keeps a ratio of wild floats an integer."""
_LOOK_AGAIN = 1.0
"""Seconds after which a window that still holds something will have moved."""


class Why(StrEnum):
    """What fixed the number; a metric label, so few and short."""

    STEADY = "steady"
    """Demand over target, unhindered."""
    PANIC = "panic"
    """The short window counts, and nothing is taken away."""
    UP_RATE = "up-rate"
    DOWN_RATE = "down-rate"
    ACTIVATION = "activation"
    DOWN_DELAY = "down-delay"
    BLIND = "blind"
    """Part of the demand could not be read, so nothing is taken away."""
    SETTLING = "settling"
    """Watched for less than a window, so nothing is taken away."""
    INITIAL = "initial"
    GRACE = "grace"
    """No demand now, but not yet for `idle`."""
    IN_USE = "in-use"
    """Requests in flight or waiting keep the last instance."""
    IDLE = "idle"
    MIN = "min"
    MAX = "max"
    SCHEDULE = "schedule"
    PREDICTION = "prediction"
    OTHERS = "others"
    """Somebody else scales this Deployment."""


class Signal(Struct, frozen=True, gc=False):
    """One metric as read: what all instances carried together, and what one of them should carry."""

    type: str
    target: float
    stable: float | None
    """Average over the window; None when it could not be read."""
    panic: float | None
    """Average over the short window."""


class Seen(Struct, frozen=True, gc=False):
    """All that a decision may depend on; times are seconds before now."""

    replicas: int
    """What the Deployment asks for now."""
    ready: int
    signals: tuple[Signal, ...] = ()
    in_use: float = 0.0
    """Requests in flight plus waiting at this moment."""
    idle_for: float = 0.0
    """Since the last demand of any kind."""
    known_for: float = math.inf
    """Since this autoscaler began to watch."""
    complete: bool = True
    """Every router answered."""
    floor: int = 0
    floor_from: Why = Why.MIN
    panic_for: float | None = None
    """Since the short window last was over the threshold; None outside a panic."""
    panic_peak: int = 0
    """The most that was wanted in this panic."""
    delayed_peak: int = 0
    """The most that was wanted within `down_delay`."""
    fresh: bool = False
    """Never had its initial instances yet."""
    others: str = ""
    """Who else writes the replicas, empty for nobody."""


class Decision(Struct, frozen=True, gc=False):
    replicas: int
    reason: Why
    recheck_after: float
    """Seconds after which the answer may differ though nothing new was seen; infinity when it cannot."""
    wanted: int = 0
    """Before the delay and the bounds: what the caller remembers for `Seen.panic_peak` and `Seen.delayed_peak`."""
    panicking: bool = False
    over: bool = False
    """The short window is over the threshold now: the panic begins anew."""


class Recommendation(Struct, frozen=True, gc=False):
    """What Knative's algorithm makes of the same input, before its reconciler's bounds."""

    wanted: int
    reason: Why
    panicking: bool
    over: bool


def recommend(scale: Scale, seen: Seen) -> Recommendation:
    """The part that equals Knative's `Scale`, number for number, up to its scale-down delay."""
    ready = seen.ready or 1
    most, least = math.ceil(min(scale.up_rate * ready, _MOST)), math.floor(ready / scale.down_rate)
    stable = burst = 0
    for signal in seen.signals:
        stable = max(stable, _instances(signal.stable, signal.target))
        burst = max(burst, _instances(signal.panic, signal.target))
    wanted, reason = _within(stable, least, most)
    over = burst / ready >= scale.panic.threshold / 100
    panicking = over or (seen.panic_for is not None and seen.panic_for <= scale.window)
    if stable > 0 and wanted < scale.activation:
        wanted, reason = scale.activation, Why.ACTIVATION
    if not panicking:
        return Recommendation(wanted, reason, panicking=False, over=False)
    short, _ = _within(burst, least, most)
    if burst > 0:
        short = max(short, scale.activation)
    return Recommendation(max(wanted, short, seen.panic_peak), Why.PANIC, panicking=True, over=over)


def _instances(value: float | None, target: float) -> int:
    if value is None or value <= 0:
        return 0
    ratio = value / target
    return math.ceil(ratio) if ratio < _MOST else _MOST


def _within(wanted: int, least: int, most: int) -> tuple[int, Why]:
    if wanted > most:
        return most, Why.UP_RATE
    if wanted < least:
        return least, Why.DOWN_RATE
    return wanted, Why.STEADY


def decide(scale: Scale, seen: Seen) -> Decision:
    """The number of instances a function should have now, why, and when to look again. Never raises."""
    if seen.others:
        return Decision(seen.replicas, Why.OTHERS, math.inf)
    advice = recommend(scale, seen)
    blind = not seen.complete or _unread(seen.signals)
    settling = not seen.fresh and seen.known_for < scale.window
    idle = not (seen.in_use > 0 or blind or settling) and seen.idle_for >= max(scale.idle, scale.down_delay)
    if idle:
        number, reason = (scale.initial, Why.INITIAL) if seen.fresh else (0, Why.IDLE)
    else:
        number, reason = _held(scale, seen, advice, blind=blind, settling=settling)
    number, reason = _bounded(number, reason, seen, scale.max)
    return Decision(
        number,
        reason,
        _recheck(scale, seen, advice, idle=idle, at_zero=number == 0),
        wanted=advice.wanted,
        panicking=advice.panicking,
        over=advice.over,
    )


def _unread(signals: tuple[Signal, ...]) -> bool:
    for signal in signals:  # noqa: SIM110 - a generator costs more than all else here, and this runs for each function
        if signal.stable is None:
            return True
    return False


def _held(scale: Scale, seen: Seen, advice: Recommendation, *, blind: bool, settling: bool) -> tuple[int, Why]:
    """The recommendation, raised by everything that keeps instances."""
    number, reason = advice.wanted, advice.reason
    if scale.down_delay > 0 and seen.delayed_peak > number:
        number, reason = seen.delayed_peak, Why.DOWN_DELAY
    if seen.fresh and scale.initial > number:
        number, reason = scale.initial, Why.INITIAL
    if (blind or settling) and seen.replicas > number:
        number, reason = seen.replicas, Why.BLIND if blind else Why.SETTLING
    if number < 1:
        if seen.in_use > 0:
            return 1, Why.IN_USE
        if seen.replicas > 0:
            return 1, Why.GRACE
    return number, reason


def _bounded(number: int, reason: Why, seen: Seen, most: int) -> tuple[int, Why]:
    if number >= most:
        return most, Why.MAX if number > most else reason
    if number < seen.floor:
        return min(seen.floor, most), seen.floor_from
    return number, reason


def _recheck(scale: Scale, seen: Seen, advice: Recommendation, *, idle: bool, at_zero: bool) -> float:
    """The earliest moment at which time alone changes the answer; a function at zero waits for demand, not for time."""
    if not idle:
        for signal in seen.signals:
            if signal.stable or signal.panic:
                return _LOOK_AGAIN
    waits = [max(scale.idle, scale.down_delay) - seen.idle_for, scale.window - seen.known_for]
    if advice.panicking and seen.panic_for is not None:
        waits.append(scale.window - seen.panic_for)
    return min(
        (max(wait, _LOOK_AGAIN / 10) for wait in waits if wait > 0),
        default=math.inf if idle or at_zero else _LOOK_AGAIN,
    )
