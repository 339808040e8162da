"""`wick cold-start`: how long a function's first request from zero takes, and where the time goes."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import click

from wick_api.names import Key
from wick_cli.failure import CommandFailed, TooLate
from wick_cli.output import output_option, structured, table
from wick_cli.platform import FunctionAnswer, FunctionCall, Platform, key_of
from wick_cli.target import PlatformTarget, target_options

_BAR = 40  # characters
_SPARE = 5
"""Calls, beyond as many as were asked for, that may find an instance running before we give up."""


@dataclass(frozen=True)
class Start:
    """One start from zero; milliseconds."""

    total: float
    """First byte of the request to last of the answer, as the caller saw it."""
    waited: float
    """In the router, for the instance; 0 when one was running, which is no start."""
    phases: dict[str, float]
    """Parts of `waited`, by the router's ``Server-Timing``, in order."""


@click.command(
    epilog="""\b
Examples:
  wick cold-start hello                 5 starts, each after the function went to zero
  wick cold-start hello --times 50 --local
  wick cold-start hello -o json | jq '.[].total'

In a cluster only idleness takes a function to zero, so each start first waits for its spec.scale.idle. It ends
after --timeout with the starts it has.
A call that finds an instance running is made again."""
)
@click.argument("name")
@click.option("--times", default=5, show_default=True, type=click.IntRange(1, 10_000), help="Starts to measure.")
@click.option(
    "--pause", default=0.5, show_default=True, help="Seconds before each, for the warm pool to fill up again."
)
@click.option("--path", default="/", show_default=True, help="Path and query to call.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds for all of it; shows what it has by then.")
@output_option
@target_options
def command(  # noqa: PLR0913 - click's options
    *, target: PlatformTarget, name: str, times: int, pause: float, path: str, timeout: float, output: str
) -> None:
    """Measure a function's starts from zero, phase by phase."""
    platform = target.open()
    key = key_of(platform, name)
    starts: list[Start] = []
    running = 0
    until = time.monotonic() + timeout
    while len(starts) < times:
        if not _at_rest(platform, key, f"start {len(starts) + 1} of {times}", until):
            if starts:
                click.echo(f"{len(starts)} of {times} starts in {timeout:g} s; --timeout gives it longer", err=True)
                break
            raise TooLate(
                f"{name} did not go to zero within {timeout:g} s (--timeout): only idleness takes it there, "
                "after its spec.scale.idle, or never with a spec.scale.min above 0"
            )
        time.sleep(pause)
        start = _call(platform, key, path)
        if start.waited:
            starts.append(start)
        elif (running := running + 1) > times + _SPARE:
            raise CommandFailed(
                f"{name} was running already in {running} of {running + len(starts)} calls; something else calls it"
            )
    click.echo(
        as_text(starts, running) if output == "table" else structured([asdict(start) for start in starts], output)
    )


def _at_rest(platform: Platform, key: Key, what: str, until: float) -> bool:
    """Wait until it is at zero, and say so; whether it was before `until`."""
    if time.monotonic() >= until:
        return False
    if platform.instances(key):
        idle = ((platform.function(key).get("spec") or {}).get("scale") or {}).get("idle", "")
        of = f" (spec.scale.idle: {idle})" if idle else ""
        click.echo(f"{what}: waiting until {key} is at zero{of}", err=True)
    try:
        platform.rest(key, max(0.0, until - time.monotonic()))
    except TooLate:
        return False
    return True


def _call(platform: Platform, key: Key, path: str) -> Start:
    began = time.perf_counter()
    answer = platform.call(key, FunctionCall(path=path))
    body = b"".join(answer.body)
    total = (time.perf_counter() - began) * 1000
    if answer.status >= 400:  # noqa: PLR2004 - HTTP's own number
        raise CommandFailed(f"{key.name} answered {answer.status}: {body[:500].decode(errors='replace')}")
    return measured(answer, total)


def measured(answer: FunctionAnswer, total: float) -> Start:
    """Read what the router says of a start in its headers."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    phases = timing(headers.get("server-timing", ""))
    phases.pop("queue", None)  # the whole wait, of which the others are parts
    return Start(round(total, 2), float(headers.get("kubewick-cold-start", 0)), phases)


def timing(header: str) -> dict[str, float]:
    """Durations in a ``Server-Timing`` header by name, in ms; entries without one are left out."""
    found = {}
    for entry in header.split(","):
        name, *parameters = (part.strip() for part in entry.split(";"))
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key == "dur" and value.strip('"').replace(".", "", 1).isdecimal():
                found[name] = float(value.strip('"'))
    return found


def as_text(starts: Sequence[Start], running: int = 0) -> str:
    """Percentiles, and the median start drawn phase by phase; `running` calls found an instance and do not count."""
    totals = sorted(start.total for start in starts)
    at = {
        "p50": totals[len(totals) // 2],
        "p95": totals[min(len(totals) - 1, int(len(totals) * 0.95))],
        "max": totals[-1],
    }
    head = f"{len(starts)} starts: " + ", ".join(f"{name} {value:.1f} ms" for name, value in at.items())
    names = dict.fromkeys(name for start in starts for name in start.phases)
    medians = {name: statistics.median(start.phases.get(name, 0.0) for start in starts) for name in names}
    medians["all else"] = max(0.0, statistics.median(totals) - sum(medians.values()))
    longest = max(medians.values()) or 1.0
    rows = [[name, f"{value:.1f} ms", "█" * round(_BAR * value / longest)] for name, value in medians.items()]
    note = f"\nnot counted: {running} that found an instance running" if running else ""
    return f"{head}{note}\n\n" + table(["PHASE", "MEDIAN", ""], rows)
