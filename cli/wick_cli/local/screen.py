"""What ``wick up`` shows: a live table in a terminal, plain lines anywhere else."""

import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from wick_api.names import Key
from wick_cli.local.decisions.row import Row, news
from wick_cli.local.lines import readable
from wick_cli.output import printable

_COLOURS = {"ready": "green", "starting": "yellow", "failed": "red", "idle": "dim"}


class Screen(Protocol):
    """Where ``wick up`` says what happens."""

    def say(self, text: str) -> None:
        """One line about the platform."""

    def line(self, key: Key, text: str) -> None:
        """One line a function printed."""

    def update(self, rows: Mapping[Key, Row], problems: Sequence[str]) -> None:
        """The present state; called several times a second."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class Plain:
    """Lines on standard output, one for each thing that changed."""

    def __init__(self) -> None:
        self._before: dict[Key, Row] = {}
        self._problems: Sequence[str] = ()

    def say(self, text: str) -> None:
        """One line about the platform."""
        click.echo(printable(text))
        sys.stdout.flush()

    def line(self, key: Key, text: str) -> None:
        """Prefix each line a function printed with its name."""
        for line in readable(text).split("\n"):
            self.say(f"{key.name} | {line}")

    def update(self, rows: Mapping[Key, Row], problems: Sequence[str]) -> None:
        """Say what changed."""
        for text in news(self._before, rows):
            self.say(text)
        for text in problems:
            if text not in self._problems:
                self.say(text)
        self._before, self._problems = dict(rows), list(problems)

    def close(self) -> None:
        """Nothing to put back."""


class Terminal:
    """A table that is redrawn in place, with what functions print scrolling above it."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()
        self._shown: tuple[object, ...] = ()

    def say(self, text: str) -> None:
        """One line about the platform, above the table."""
        self._console.print(Text(printable(text)), soft_wrap=True)

    def line(self, key: Key, text: str) -> None:
        """Prefix each line a function printed with its name."""
        for line in readable(text).split("\n"):
            self._console.print(Text.assemble((f"{key.name} | ", "cyan"), printable(line)), soft_wrap=True)

    def update(self, rows: Mapping[Key, Row], problems: Sequence[str]) -> None:
        """Redraw when something changed."""
        shown = (*rows.values(), *problems)
        if shown != self._shown:
            self._shown = shown
            self._live.update(drawn(rows, problems), refresh=True)

    def close(self) -> None:
        """Take the table away."""
        self._live.stop()


def drawn(rows: Mapping[Key, Row], problems: Sequence[str]) -> RenderableType:
    """The table and, below it, what must be mended in the files."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("FUNCTION", no_wrap=True)
    table.add_column("STATE", no_wrap=True)
    for name in ("INSTANCES", "IN FLIGHT", "COLD STARTS", "LAST"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("WHY")
    for row in rows.values():
        last = "" if row.last_cold_start is None else f"{row.last_cold_start:.0f} ms"
        table.add_row(
            row.name,
            Text(row.state, style=_COLOURS.get(row.state, "")),
            f"{row.ready}/{row.wanted}",
            str(row.in_flight),
            str(row.cold_starts),
            last,
            Text(printable(row.why)),
        )
    return Group(table, *(Text(printable(problem), style="red") for problem in problems))
