"""What the rounds of two trees say: pure."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ENOUGH = 0.75
"""Share of the rounds that must be worse too: a median alone is soon moved on a busy machine."""


@dataclass(frozen=True)
class Row:
    """One figure: both medians, and the ratio this / base of each round, sorted."""

    name: str
    base: float
    this: float
    ratios: tuple[float, ...]
    worse: bool

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)


def rows(pairs: Sequence[Sequence[dict[str, float]]], worse: float) -> list[Row]:
    """A row for each figure that both trees have in every round; `worse` is in percent."""
    bound = 1 + worse / 100
    names = [name for name in pairs[0][0] if all(name in each for pair in pairs for each in pair)]
    found = []
    for name in names:
        ratios = tuple(sorted(this[name] / base[name] for base, this in pairs))
        beyond = sum(ratio > bound for ratio in ratios) >= ENOUGH * len(ratios)
        base, this = (statistics.median(pair[side][name] for pair in pairs) for side in (0, 1))
        found.append(Row(name, base, this, ratios, beyond and statistics.median(ratios) > bound))
    return found


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Markdown."""
    yield "| figure | base | this | this / base (least to most) | |"
    yield "|---|---|---|---|---|"
    for row in rows:
        span = f"{row.ratio:.3f} ({row.ratios[0]:.3f} to {row.ratios[-1]:.3f})"
        yield f"| {row.name} | {row.base:.4g} | {row.this:.4g} | {span} | {'WORSE' if row.worse else ''} |"
