"""`wick list`."""

import datetime as dt
from collections.abc import Sequence

import click

from wick_cli.output import age, condition, output_option, structured, table
from wick_cli.platform import Shown
from wick_cli.target import PlatformTarget, target_options


@click.command(
    epilog="""\b
Examples:
  wick list                     functions of the context's namespace
  wick list -A                  of all namespaces
  wick list --local             of the `wick up` on this machine
  wick list -o json | jq '.[].status.why'"""
)
@click.option("--all-namespaces", "-A", is_flag=True, help="Functions of all namespaces.")
@output_option
@target_options
def command(*, target: PlatformTarget, all_namespaces: bool, output: str) -> None:
    """List functions, their state and what is wrong with them."""
    platform = target.open()
    found = platform.functions(None if all_namespaces else platform.namespace)
    if output != "table":
        click.echo(structured(found, output))
    elif not found:
        click.echo("no functions" if all_namespaces else f"no functions in namespace {platform.namespace}", err=True)
    else:
        click.echo(as_table(found, dt.datetime.now(dt.UTC), namespaces=all_namespaces))


def as_table(found: Sequence[Shown], now: dt.datetime, *, namespaces: bool) -> str:
    """One line a function."""
    rows = []
    for shown in sorted(found, key=lambda each: (each["metadata"].get("namespace", ""), each["metadata"]["name"])):
        metadata, status = shown["metadata"], shown.get("status") or {}
        instances = f"{status.get('readyReplicas', 0)}/{status.get('replicas', 0)}"
        row = [
            metadata["name"],
            str(condition(shown, "Ready").get("status", "Unknown")),
            instances,
            str((shown.get("spec") or {}).get("visibility", "cluster")),
            age(metadata.get("creationTimestamp"), now),
            str(status.get("why", "")),
        ]
        rows.append([str(metadata.get("namespace", "")), *row] if namespaces else row)
    head = ["NAME", "READY", "INSTANCES", "VISIBILITY", "AGE", "WHY"]
    return table(["NAMESPACE", *head] if namespaces else head, rows)
