"""`wick describe`."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
import msgspec

from wick_api import warm
from wick_api.function import FunctionSpec, decode_scalar
from wick_cli.output import age, output_option, printable, structured, table
from wick_cli.platform import Shown, key_of
from wick_cli.target import PlatformTarget, target_options


@click.command(
    epilog="""\b
Examples:
  wick describe hello
  wick describe team/hello      in another namespace
  wick describe hello --local -o yaml"""
)
@click.argument("name")
@output_option
@target_options
def command(*, target: PlatformTarget, name: str, output: str) -> None:
    """Show one function: conditions, instances, scaling decisions."""
    platform = target.open()
    key = key_of(platform, name)
    shown, instances = platform.function(key), platform.instances(key)
    if output != "table":
        click.echo(structured({**shown, "instances": instances}, output))
    else:
        click.echo("\n".join(as_text(shown, instances, dt.datetime.now(dt.UTC))))


_VISIBILITY = {
    "cluster": "cluster: nobody outside can call it",
    "public": "public: also from outside, at its routes, host and path",
}


def as_text(shown: Shown, instances: Sequence[Shown], now: dt.datetime) -> Iterator[str]:
    """Line by line what a person wants to know, the most wanted first."""
    metadata, status = shown["metadata"], shown.get("status") or {}
    facts = {
        "Function": f"{metadata.get('namespace')}/{metadata['name']}",
        "Why": status.get("why"),
        "URL": status.get("url"),
        "Visibility": _VISIBILITY.get((shown.get("spec") or {}).get("visibility", "cluster")),
        "Instances": f"{status.get('readyReplicas', 0)} ready of {status.get('replicas', 0)}",
        "Revision": status.get("revision"),
        "From zero": from_zero(shown),
        "Handlers": next((each["forking"] for each in reversed(instances) if each.get("forking")), ""),
        "Last cold start": _cold_start(status.get("lastColdStart") or {}, now),
        "Age": age(metadata.get("creationTimestamp"), now),
    }
    width = max(len(name) for name in facts) + 2
    yield from (f"{name + ':':<{width}}{printable(str(value))}" for name, value in facts.items() if value)
    conditions = [
        [c["type"], c["status"], c.get("reason", ""), c.get("message", "")] for c in status.get("conditions") or []
    ]
    if conditions:
        yield "\n" + table(["CONDITION", "STATUS", "REASON", "MESSAGE"], conditions)
    if instances:
        rows = [
            [str(each.get(name, "")) for name in ("id", "state", "revision")] + [age(each.get("started"), now)]
            for each in instances
        ]
        yield "\n" + table(["INSTANCE", "STATE", "REVISION", "AGE"], rows)
    decisions = [
        [str(each.get(name, "")) for name in ("at", "replicas", "reason", "message")]
        for each in (status.get("scale") or {}).get("decisions") or []
    ]
    if decisions:
        yield "\n" + table(["DECIDED", "INSTANCES", "REASON", "WHY"], decisions)


def from_zero(shown: Mapping[str, Any]) -> str:
    """Which way its first instance comes; empty where the spec cannot be read."""
    try:
        spec = msgspec.convert(shown.get("spec", {}), FunctionSpec, dec_hook=decode_scalar)
    except msgspec.ValidationError:
        return ""
    hindered = warm.hindered(spec)
    if not hindered:
        return "in a warm instance, where one is free"
    return f"by its Deployment: it {warm.EXPLAINED[hindered]}"


def _cold_start(last: Mapping[str, Any], now: dt.datetime) -> str:
    if "milliseconds" not in last:
        return ""
    ago = f", {age(last['time'], now)} ago" if last.get("time") else ""
    return f"{last['milliseconds']} ms ({last.get('path', 'unknown path')}{ago})"
