"""Entry point of the `wick` command.

``wick --help`` and shell completion are answered from the table below: a command's module, and with it the Kubernetes
client, aiohttp or rich, is imported only when that command runs. A test holds the list of modules a ``--help`` loads.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import NamedTuple

import click


class CommandEntry(NamedTuple):
    """Where a command lives (`module` has a ``command`` in it) and the line that ``wick --help`` shows for it."""

    module: str
    help: str


COMMANDS: Mapping[str, CommandEntry] = {
    "init": CommandEntry("wick_cli.command.init", "Write a new function, with a test, into a folder."),
    "up": CommandEntry("wick_cli.command.up", "Run functions on this machine; reload them as you edit."),
    "deploy": CommandEntry("wick_cli.command.deploy", "Apply functions and wait until they are ready."),
    "list": CommandEntry("wick_cli.command.list", "List functions, their state and what is wrong with them."),
    "describe": CommandEntry(
        "wick_cli.command.describe", "Show one function: conditions, instances, scaling decisions."
    ),
    "simulate": CommandEntry(
        "wick_cli.command.simulate", "Replay a load against a Function's scaling, before deploying it."
    ),
    "invoke": CommandEntry("wick_cli.command.invoke", "Call a function and print its answer."),
    "logs": CommandEntry("wick_cli.command.logs", "Print a function's log lines."),
    "delete": CommandEntry("wick_cli.command.delete", "Delete functions."),
    "cold-start": CommandEntry("wick_cli.command.cold_start", "Measure a function's starts from zero, phase by phase."),
    "completion": CommandEntry("wick_cli.command.completion", "Print the script that completes `wick` in your shell."),
}


class Lazy(click.Group):
    """A group that knows its commands' names and one-line helps without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = import_module(entry.module).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry.module}.command is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.group(
    cls=Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="""\b
Start here:
  wick init hello && wick up hello     a function of your own, running at http://127.0.0.1:8080
  wick invoke hello --local            call it
  wick deploy hello                    run it on the cluster of your current kubeconfig context

\b
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 invalid file, 4 not found, 5 platform unreachable, 6 too late.""",
)
@click.version_option(package_name="kubewick", prog_name="wick")
def main() -> None:
    """Kubewick: functions that cost nothing when idle and answer in milliseconds."""
