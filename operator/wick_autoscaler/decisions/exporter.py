"""The autoscaler's own metrics as Prometheus text."""

from collections.abc import Iterator, Mapping

from wick_api import metric
from wick_api.fault import Faults
from wick_api.names import Key
from wick_autoscaler.decisions.function_state import Track

FAMILIES = (
    (metric.DESIRED_REPLICAS, "gauge", "Instances the last decision asks for."),
    (metric.PANIC, "gauge", "1 in a burst: the short window counts, and nothing is taken away."),
    (metric.DECISIONS, "counter", "Decisions that differed from the one before, by reason."),
)
"""Name, type and help text of each."""


def lines(tracks: Mapping[Key, Track], faults: Faults | None = None) -> Iterator[str]:
    """Every series of every function, without line ends. Names of Kubernetes objects need no escaping."""
    for name, kind, text in FAMILIES:
        yield f"# HELP {name} {text}"
        yield f"# TYPE {name} {kind}"
        for key, track in tracks.items():
            try:
                yield from list(_series(name, key, track))
            except Exception as error:  # noqa: BLE001 - a border: one function's series hide no other's
                (faults or Faults()).caught("metrics", key, error)


def _series(name: str, key: Key, track: Track) -> Iterator[str]:
    label = f'namespace="{key.namespace}",function="{key.name}"'
    if name == metric.DECISIONS:
        yield from (f'{name}{{{label},reason="{why}"}} {count}' for why, count in track.counts.items())
    elif track.decided:
        last = track.decided[-1].decision
        yield f"{name}{{{label}}} {last.replicas if name == metric.DESIRED_REPLICAS else int(last.panicking)}"
