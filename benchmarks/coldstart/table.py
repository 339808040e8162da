"""Percentiles, and the table they are kept in."""

import statistics
import sys
from collections.abc import Iterable, Sequence
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
    """Says each line as soon as it is known, and keeps all."""

    def __init__(self, head: str) -> None:
        self._rows: list[Row] = []
        self._notes = [head]

    @property
    def lost(self) -> int:
        return sum(each.lost for each in self._rows)

    def add(self, found: Row) -> None:
        self._rows.append(found)
        say(
            f"{found.what:<44} {found.starts:>4} starts  p50 {found.p50:>7}  p95 {found.p95:>7}  max {found.longest:>7}"
        )

    def note(self, text: str) -> None:
        self._notes.append(text)
        say(text)

    def write(self, path: Path = README) -> None:
        """Put the table between its markers."""
        before, _, rest = path.read_text().partition(MARK)
        _, _, after = rest.partition(MARK)
        path.write_text(f"{before}{MARK}\n{_markdown(self._rows, self._notes)}{MARK}{after}")


def _markdown(rows: Iterable[Row], notes: Iterable[str]) -> str:
    lines = [
        "| starts from zero, ms | starts | lost | p50 | p95 | p99 | max | mean |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += ["| " + " | ".join(map(str, each)) + " |" for each in rows]
    return "\n".join([*notes, "", *lines, ""])


def say(text: str) -> None:
    """Progress."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
