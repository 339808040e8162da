"""Decisions in words and as data: what `status.scale`, ``wick describe`` and Events say."""

from collections.abc import Iterable
from typing import Any

from wick_api.scale import Scale
from wick_autoscaler.decisions.decision import Decision, Seen, Signal, Why
from wick_autoscaler.decisions.function_state import Decided, Track
from wick_autoscaler.decisions.policy import panic_window
from wick_autoscaler.decisions.schedule import problems

_UNITS = {
    "concurrency": "requests at a time",
    "rps": "requests a second",
    "cpu": "% CPU",
    "memory": "% memory",
    "queue": "waiting requests",
    "prometheus": "by its query",
}


_SAID = {
    Why.STEADY: "{load}, averaged over {scale.window}",
    Why.PANIC: "a burst of {burst} in the last {short:.0f}s; nothing is taken away until {scale.window} after it",
    Why.UP_RATE: "{load}, but scale.upRate {scale.up_rate:g} allows no more from {seen.ready} ready at once",
    Why.DOWN_RATE: "{load}, but scale.downRate {scale.down_rate:g} allows no fewer from {seen.ready} ready at once",
    Why.ACTIVATION: "any load at all gets scale.activation {scale.activation}",
    Why.DOWN_DELAY: "as many were wanted within the last {scale.down_delay} (scale.downDelay)",
    Why.BLIND: "nothing is taken away while {unread}",
    Why.SETTLING: "the autoscaler began to watch less than {scale.window} ago; nothing is taken away yet",
    Why.INITIAL: "scale.initial of a new function",
    Why.GRACE: "no demand for {idle}; the last instance goes after {scale.idle}",
    Why.IN_USE: "{seen.in_use:g} requests in flight or waiting",
    Why.IDLE: "no demand for {idle}, scale.idle is {scale.idle}",
    Why.MIN: "scale.min",
    Why.MAX: "{load}, more than scale.max {scale.max}",
    Why.SCHEDULE: "a schedule asks for at least {seen.floor}",
    Why.PREDICTION: "{seen.floor} were wanted at this time of the last two seasons",
    Why.OTHERS: "{seen.others} decides; the autoscaler leaves the number alone",
}


def sentence(scale: Scale, seen: Seen, decision: Decision) -> str:
    """Why this number, for a person."""
    return _SAID[decision.reason].format(
        scale=scale,
        seen=seen,
        load=_load(seen.signals),
        burst=_load(seen.signals, panic=True),
        short=panic_window(scale),
        unread=_unread(seen),
        idle=_seconds(seen.idle_for),
    )


def _load(signals: Iterable[Signal], *, panic: bool = False) -> str:
    """The signal that asks for most."""
    read = [(signal.panic if panic else signal.stable or 0.0, signal) for signal in signals]
    value, signal = max(read, key=lambda pair: (pair[0] or 0.0) / pair[1].target, default=(0.0, None))
    if signal is None:
        return "no metric"
    return f"{value or 0.0:.3g} {_UNITS[signal.type]} where one instance takes {signal.target:.3g}"


def _unread(seen: Seen) -> str:
    unread = [signal.type for signal in seen.signals if signal.stable is None]
    return f"the {unread[0]} metric cannot be read" if unread else "a router does not answer"


def _seconds(length: float) -> str:
    return f"{length:.0f}s" if length >= 1 else f"{length * 1000:.0f}ms"


def entry(scale: Scale, decided: Decided) -> dict[str, Any]:
    """One decision with its inputs, as it stands in `status.scale.decisions`."""
    seen, decision = decided.seen, decided.decision
    return {
        "at": decided.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "replicas": decision.replicas,
        "from": seen.replicas,
        "ready": seen.ready,
        "reason": decision.reason.value,
        "message": sentence(scale, seen, decision),
        "inputs": [_input(signal) for signal in seen.signals],
    }


def _input(signal: Signal) -> dict[str, Any]:
    return {"metric": signal.type, "target": round(signal.target, 3)} | {
        name: round(value, 3)
        for name, value in (("stable", signal.stable), ("panic", signal.panic))
        if value is not None
    }


def status(track: Track) -> dict[str, Any]:
    """`status.scale` of one function: what is wanted and why, the last decisions newest first, and what is amiss."""
    scale = track.policy.scale
    entries = [entry(scale, decided) for decided in reversed(track.decided)]
    troubles = problems(scale) + [
        f"spec.scale.metrics[{position}]: {outside.trouble}"
        for position, outside in enumerate(track.outside)
        if outside.trouble and track.policy.goals[position].metric.type in {"cpu", "memory", "prometheus"}
    ]
    now = {key: entries[0][key] for key in ("replicas", "reason", "message")} if entries else {}
    prediction = {"enabled": scale.prediction.enabled, "instances": track.floor.forecast}
    return now | {"prediction": prediction, "decisions": entries} | ({"problems": troubles} if troubles else {})
