"""`wick simulate`: how a Function would scale under a load, before it is deployed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from wick_api.function import Function, SpecInvalid, parse
from wick_autoscaler.simulate import azure, chart, peers
from wick_autoscaler.simulate.model import SimulatedPolicy, SimulatedRun, World, simulate
from wick_autoscaler.simulate.outcome import Outcome, outcome
from wick_autoscaler.simulate.shape import SHAPES, Load, shaped
from wick_autoscaler.simulate.trace import Trace
from wick_cli.document.manifest import read
from wick_cli.failure import CommandFailed, InvalidFile
from wick_cli.output import output_option, structured, table

_DEFAULT = {
    "apiVersion": "kubewick.dev/v1alpha1",
    "kind": "Function",
    "metadata": {"name": "defaults"},
    "spec": {"image": "any", "scale": {"max": 100}},
}


@click.command(
    epilog="""\b
Examples:
  wick simulate                                    the defaults under a step, beside Knative's
  wick simulate -p hello/function.yaml --shape spike --shape flash
  wick simulate -p a.yaml -p b.yaml --shape sine --svg sine.svg
  wick simulate -p a.yaml --trace examples/traces/azure-2021.txt --length 900"""
)
@click.option(
    "policies",
    "--policy",
    "-p",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A Function's YAML; several are compared.",
)
@click.option("shapes", "--shape", "-s", multiple=True, type=click.Choice(list(SHAPES)), help="A made load.")
@click.option(
    "traces",
    "--trace",
    "-t",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A recorded load: Azure's public traces of 2019 or 2021.",
)
@click.option("--function", default="", help="Beginning of the function's name in the trace; without it all of them.")
@click.option("--peak", default=100.0, show_default=True, help="Requests a second of a shape, at most.")
@click.option("--length", default=600.0, show_default=True, help="Seconds of load.")
@click.option("--start", default=0.0, help="Seconds into the trace to begin at.")
@click.option("--service", default=0.5, show_default=True, help="Mean seconds that serving a request takes.")
@click.option("--cold-start", default=1.0, show_default=True, help="Seconds until a new instance serves.")
@click.option("--seed", default=1, show_default=True, help="Of what is drawn at random.")
@click.option("--knative/--no-knative", default=True, show_default=True, help="Compare with Knative's defaults.")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Draw into this file.")
@output_option
def command(**options: Any) -> None:
    """Replay a load against the autoscaler's own decisions and a model of instances; compare policies."""
    policies, loads = _policies(options["policies"], knative=options["knative"]), _loads(options)
    world = World(cold_start=options["cold_start"])
    runs = [[simulate(policy, load, world) for policy in policies] for load in loads]
    if options["svg"]:
        if len(loads) > 1:
            raise click.UsageError("--svg draws one load; name one --shape or --trace")
        options["svg"].write_text(chart.svg(runs[0]))
    if options["output"] != "table":
        rows = [msgspec.to_builtins(outcome(run)) for group in runs for run in group]
        click.echo(structured(rows, options["output"]))
        return
    click.echo(table(_HEAD, [_row(outcome(run)) for group in runs for run in group]))
    for group in runs:
        click.echo(f"\ninstances over time: {group[0].trace}")
        for run in group:
            click.echo(f"  {run.policy:>12}  {chart.line(run, 80)}  at most {_most(run)}")


_HEAD = ("LOAD", "POLICY", "REQUESTS", "P50", "P95", "P99", "WORST", "WAITED", "INSTANCES", "STARTS", "COST")


def _row(shown: Outcome) -> Sequence[str]:
    times = (f"{seconds * 1000:.0f}ms" for seconds in (shown.p50, shown.p95, shown.p99, shown.worst))
    counts = (shown.most_waiting, shown.most_instances, shown.starts)
    return [
        shown.trace,
        shown.policy,
        str(shown.requests),
        *times,
        *map(str, counts),
        f"{shown.instance_seconds:.0f} instance-seconds",
    ]


def _most(run: SimulatedRun) -> int:
    return max(sample.replicas for sample in run.samples)


def _policies(files: Sequence[Path], *, knative: bool) -> list[SimulatedPolicy]:
    functions = [function for file in files for function in _functions(file)] or [parse(_DEFAULT)]
    policies = [SimulatedPolicy(function.metadata.name, function) for function in functions]
    return [*policies, peers.knative(functions[0])] if knative else policies


def _functions(file: Path) -> list[Function]:
    documents, problems = read(file, file.read_text())
    functions = []
    for document in documents:
        try:
            functions.append(parse(document.manifest))
        except SpecInvalid as error:
            problems.append(document.problem(str(error)))
    if problems or not functions:
        raise InvalidFile("\n".join(map(str, problems)) or f"{file}: no Function in it")
    return functions


def _loads(options: dict[str, Any]) -> list[Trace]:
    length, service = options["length"], options["service"]
    if min(length, service, options["peak"]) <= 0 or options["cold_start"] < 0:
        raise click.UsageError("--length, --service and --peak must be more than 0, --cold-start at least 0")
    load = Load(peak=options["peak"], length=length, service=service, seed=options["seed"])
    part = azure.TracePart(function=options["function"], service=service, start=options["start"], length=length)
    loads = [shaped(shape, load) for shape in options["shapes"]]
    for file in options["traces"]:
        try:
            with file.open(newline="") as lines:
                loads.append(azure.read(file.name, lines, part))
        except (azure.Unreadable, UnicodeDecodeError) as error:
            raise CommandFailed(f"{file}: {error}") from error
    for each in loads:
        if not each.requests:
            raise CommandFailed(
                f"{each.name}: no request of {part.function or 'any function'} in those {length:g} seconds"
            )
    return loads or [shaped("step", load)]
