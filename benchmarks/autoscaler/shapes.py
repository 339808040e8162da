"""Writes `shapes.md` and a drawing a shape: our defaults against Knative's, under six loads. The same each time.

`python benchmarks/autoscaler/shapes.py`
"""

from pathlib import Path

from wick_api.function import parse
from wick_autoscaler.simulate import chart, peers
from wick_autoscaler.simulate.model import SimulatedPolicy, World, simulate
from wick_autoscaler.simulate.outcome import outcome
from wick_autoscaler.simulate.shape import SHAPES, Load, shaped

HERE = Path(__file__).parent
LOAD, WORLD = Load(peak=100, length=600, service=0.5), World(cold_start=1.0)
FUNCTION = parse(
    {
        "apiVersion": "kubewick.dev/v1alpha1",
        "kind": "Function",
        "metadata": {"name": "kubewick"},
        "spec": {"image": "any", "concurrency": 10, "scale": {"max": 100}},
    }
)
HEAD = """# Six load shapes: Kubewick's defaults against Knative's

Written by `make bench-shapes`; a simulation (`wick simulate`), so the same on every machine.
Up to 100 requests a second for ten minutes, 0.5 s each on average (exponential), 10 at a time in an instance,
1 s from the wish for an instance to its first request, at most 100 instances. Both platforms run the same model;
what differs is the period (1 s and 2 s), what is known at zero, and that our router tells of waiting requests at once.

| load | policy | p50 | p95 | p99 | most waiting | most instances | instances started | instance-seconds |
|---|---|---|---|---|---|---|---|---|
"""


def main():
    rows = []
    for shape in SHAPES:
        load = shaped(shape, LOAD)
        runs = [
            simulate(policy, load, WORLD) for policy in (SimulatedPolicy("kubewick", FUNCTION), peers.knative(FUNCTION))
        ]
        (HERE / f"{shape}.svg").write_text(chart.svg(runs))
        for run in runs:
            seen = outcome(run)
            times = " | ".join(f"{seconds:.2f} s" for seconds in (seen.p50, seen.p95, seen.p99))
            rows.append(
                f"| {f'[{shape}]({shape}.svg)' if run is runs[0] else ''} | {seen.policy} | {times} "
                f"| {seen.most_waiting} | {seen.most_instances} | {seen.starts} | {seen.instance_seconds:,.0f} |"
            )
    (HERE / "shapes.md").write_text(HEAD + "\n".join(rows) + "\n")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
