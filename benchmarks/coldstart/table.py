"""Percentiles, and the table they are kept in."""

import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

README = Path(__file__).parent.parent / "README.md"
MARK = "<!-- bench-coldstart -->"


class Row(NamedTuple):
    """Milliseconds of some starts."""

    what: str
    starts: int
    lost: int
    """Requests that were not answered with 200."""
    p50: float
    p95: float
    p99: float
    longest: float
    mean: float


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank."""
    return sorted(values)[max(0, int(-(-len(values) * share // 100)) - 1)]


def row(what: str, times: Sequence[float], lost: int = 0) -> Row:
    """The percentiles of these times; of none, zeros."""
    times = times or [0.0]
    at = [round(percentile(times, share), 1) for share in (50, 95, 99, 100)]
    return Row(what, len(times), lost, at[0], at[1], at[2], at[3], round(statistics.fmean(times), 1))


class Report:
    """Says each line as soon as it is known, and keeps all: rows by what they measure, notes by their part."""

    def __init__(self, head: str) -> None:
        self._head = head
        self._rows: dict[str, Row] = {}
        self._notes: dict[str, str] = {}

    @property
    def lost(self) -> int:
        return sum(each.lost for each in self._rows.values())

    def add(self, found: Row) -> None:
        self._rows[found.what] = found
        say(
            f"{found.what:<44} {found.starts:>4} starts  p50 {found.p50:>7}  p95 {found.p95:>7}  max {found.longest:>7}"
        )

    def note(self, part: str, text: str) -> None:
        self._notes[part] = text
        say(f"{part}: {text}")

    def forget(self, part: str) -> None:
        """What an earlier run noted of it holds no more."""
        self._notes[part] = ""

    def write(self, path: Path = README) -> None:
        """Put the table between its markers; what was measured in earlier runs and not in this one stays."""
        before, _, rest = path.read_text().partition(MARK)
        old, _, after = rest.partition(MARK)
        rows = {each.what: each for each in map(_row, old.splitlines()) if each} | self._rows
        notes = dict(map(_note, filter(_is_note, old.splitlines()))) | self._notes
        told = {part: text for part, text in notes.items() if text}
        path.write_text(f"{before}{MARK}\n{_markdown(self._head, rows.values(), told)}{MARK}{after}")


def _markdown(head: str, rows: Iterable[Row], notes: Mapping[str, str]) -> str:
    lines = [
        head,
        "",
        "| starts from zero, ms | starts | lost | p50 | p95 | p99 | max | mean |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
        *("| " + " | ".join(map(str, each)) + " |" for each in rows),
        "",
        *(f"- {part}: {text}" for part, text in notes.items()),
    ]
    return "\n".join([*lines, ""])


def _row(line: str) -> Row | None:
    """A row as `_markdown` writes it; None for any other line."""
    cells = [each.strip() for each in line.strip("|").split("|")]
    if len(cells) != len(Row._fields) or not cells[1].isdigit():
        return None
    return Row(cells[0], int(cells[1]), int(cells[2]), *map(float, cells[3:]))


def _is_note(line: str) -> bool:
    return line.startswith("- ") and ": " in line


def _note(line: str) -> tuple[str, str]:
    part, _, text = line.removeprefix("- ").partition(": ")
    return part, text


def say(text: str) -> None:
    """Progress."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
