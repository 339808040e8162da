"""`wick logs`."""

import click

from wick_cli.output import printable
from wick_cli.platform import key_of
from wick_cli.target import PlatformTarget, target_options


@click.command(
    epilog="""\b
Examples:
  wick logs hello               the last 100 lines
  wick logs hello -f            and what comes, until Ctrl-C
  wick logs hello | grep 5f3a   of one request: its X-Request-Id is behind each line
  wick logs hello --raw | jq 'select(.requestId == "…")'"""
)
@click.argument("name")
@click.option("--follow", "-f", is_flag=True, help="Go on printing new lines.")
@click.option("--tail", default=100, show_default=True, type=click.IntRange(0), help="Lines of each instance at first.")
@click.option("--raw", is_flag=True, help="The lines as they are, control characters included.")
@target_options
def command(*, target: PlatformTarget, name: str, follow: bool, tail: int, raw: bool) -> None:
    """Print a function's log lines, each with the id of the request that it belongs to."""
    from wick_cli.local.lines import readable  # noqa: PLC0415 - keeps `--help` light

    platform = target.open()
    for line in platform.lines(key_of(platform, name), tail, follow=follow):
        click.echo(line if raw else printable(readable(line, request=True)))
