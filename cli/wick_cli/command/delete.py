"""`wick delete`."""

import click

from wick_cli.platform import key_of
from wick_cli.target import PlatformTarget, target_options


@click.command(
    epilog="""\b
Examples:
  wick delete hello
  wick delete team/hello team/other
  wick delete hello --local     stop serving it; its files stay"""
)
@click.argument("names", nargs=-1, required=True)
@target_options
def command(*, target: PlatformTarget, names: tuple[str, ...]) -> None:
    """Delete functions, and in a cluster everything they own."""
    platform = target.open()
    for name in names:
        key = key_of(platform, name)
        platform.delete(key)
        click.echo(f"deleted {key}")
