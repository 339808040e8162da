"""`wick invoke`: call a function, at zero or not, from wherever there is a kubeconfig."""

import json
import sys
import time

import click

from wick_cli.command.cold_start import timing
from wick_cli.failure import CommandFailed
from wick_cli.output import table
from wick_cli.platform import FunctionAnswer, FunctionCall, key_of
from wick_cli.target import PlatformTarget, target_options

ASK = ("kubewick-trace", "1")
"""Has the router say where the time went; see `wick_api.header`."""
BAR = 24
"""Characters of the longest step's bar."""
WHERE = {
    **dict.fromkeys(("route", "queue", "connect", "claim", "transfer"), "router"),
    **dict.fromkeys(("import", "init", "handler"), "your code"),
}
"""Where a step takes place; all others in the instance."""
PART_OF = {
    **dict.fromkeys(("claim", "transfer", "wake", "fork", "import", "init"), "queue"),
    **dict.fromkeys(("wait", "handler"), "first-byte"),
}
"""Steps that lie within another, and which that is."""


@click.command(
    epilog="""\b
Examples:
  wick invoke hello
  wick invoke hello --path '/?name=Ada'
  wick invoke csv-summary --data @planets.csv
  wick invoke webhook --data '{"a": 1}' --header 'x-signature: …' --include
  cat big.json | wick invoke markdown --data @-
  wick invoke hello --trace       where the time went: router, instance, your code

The exit code is 1 when the function answers 4xx or 5xx; the answer is printed all the same."""
)
@click.argument("name")
@click.option("--path", default="/", show_default=True, help="Path and query below the function's own.")
@click.option("--method", "-X", help="HTTP method; POST with --data, else GET.")
@click.option("--data", "-d", help="Body: text, @FILE, or @- for standard input.")
@click.option("--header", "-H", "headers", multiple=True, metavar="NAME: VALUE", help="May be given often.")
@click.option("--include", "-i", is_flag=True, help="Print status and headers to standard error.")
@click.option("--trace", is_flag=True, help="Print where the time went to standard error.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds without a byte before giving up.")
@target_options
def command(  # noqa: PLR0913 - click's options
    *,
    target: PlatformTarget,
    name: str,
    path: str,
    method: str | None,
    data: str | None,
    headers: tuple[str, ...],
    include: bool,
    trace: bool,
    timeout: float,
) -> None:
    """Call a function and print its answer."""
    platform = target.open()
    call = FunctionCall(
        method=method or ("GET" if data is None else "POST"),
        path=path,
        headers=tuple(_header(text) for text in headers) + _implied(data, headers) + (ASK,) * trace,
        body=_body(data),
        timeout=timeout,
    )
    began = time.perf_counter()
    answer = platform.call(key_of(platform, name), call)
    total = (time.perf_counter() - began) * 1000
    if include:
        _print_head(answer)
    out = sys.stdout.buffer
    for chunk in answer.body:
        out.write(chunk)
        out.flush()
    if sys.stdout.isatty():
        click.echo()
    if trace:
        click.echo(traced(answer, total), err=True)
    if answer.status >= 400:  # noqa: PLR2004 - HTTP's own number
        raise CommandFailed(f"{name} answered {answer.status}")


def traced(answer: FunctionAnswer, total: float) -> str:
    """Each step with where it took place; `total` is ours, in ms, until the answer's head was here."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    steps = timing(headers.get("server-timing", ""))
    longest = max(steps.values(), default=0.0) or 1.0
    rows = []
    for whole in [name for name in steps if name not in PART_OF]:
        for name in (whole, *(part for part in steps if PART_OF.get(part) == whole)):
            bar = "█" * round(BAR * steps[name] / longest)
            rows.append(["  " * (name != whole) + name, WHERE.get(name, "instance"), f"{steps[name]:.1f} ms", bar])
    rows.append(["all, seen from here", "", f"{total:.1f} ms", ""])
    return f"\nrequest {headers.get('x-request-id', '?')}\n" + table(["STEP", "WHERE", "TIME", ""], rows)


def _body(data: str | None) -> bytes:
    if data is None or not data.startswith("@"):
        return (data or "").encode()
    if data == "@-":
        return sys.stdin.buffer.read()
    try:
        with open(data[1:], "rb") as file:  # noqa: PTH123 - a name as typed, `-` aside
            return file.read()
    except OSError as error:
        raise click.BadParameter(f"{data[1:]}: {error.strerror}", param_hint="--data") from error


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise click.BadParameter(f"{text!r} is not NAME: VALUE", param_hint="--header")
    return name.strip(), value.strip()


def _implied(data: str | None, headers: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Say application/json for a body that is, unless a header says otherwise."""
    if data is None or any(text.lower().startswith("content-type:") for text in headers) or data.startswith("@"):
        return ()
    try:
        json.loads(data)
    except ValueError:
        return ()
    return (("content-type", "application/json"),)


def _print_head(answer: FunctionAnswer) -> None:
    click.echo(f"HTTP {answer.status}", err=True)
    for name, value in answer.headers.items():
        click.echo(f"{name}: {value}", err=True)
    click.echo(err=True)
