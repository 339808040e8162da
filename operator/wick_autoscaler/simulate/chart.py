"""Runs drawn as SVG and as lines of text: what was asked for, what there was, what had to wait."""

import math
from collections.abc import Callable, Sequence
from html import escape

from wick_autoscaler.simulate.model import SimulatedRun, SimulatedSample

_WIDTH, _HEIGHT, _LEFT, _TOP = 760, 150, 60, 34
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # told apart by the colour-blind
_BLOCKS = " ▁▂▃▄▅▆▇█"
_PANELS: tuple[tuple[str, Callable[[SimulatedSample], float]], ...] = (
    ("instances", lambda sample: sample.replicas),
    ("requests in flight", lambda sample: sample.in_flight),
    ("requests waiting", lambda sample: sample.waiting),
)


def svg(runs: Sequence[SimulatedRun]) -> str:
    """Three panels over one time axis, a line a policy; a complete SVG document."""
    length = max((run.samples[-1].at for run in runs if run.samples), default=1.0) or 1.0
    height = _TOP + len(_PANELS) * (_HEIGHT + 40)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 20} {height}" font-size="12">',
        '<g font-family="sans-serif"><rect width="100%" height="100%" fill="white"/>',
    ]
    for number, run in enumerate(runs):
        parts.append(
            f'<text x="{_LEFT + 130 * number}" y="18" fill="{_colour(number)}" font-weight="bold">'
            f"{escape(run.policy)}</text>"
        )
    for panel, (title, value) in enumerate(_PANELS):
        parts.append(_panel(title, value, runs, length, _TOP + panel * (_HEIGHT + 40)))
    return "\n".join([*parts, "</g></svg>\n"])


def _panel(
    title: str, value: Callable[[SimulatedSample], float], runs: Sequence[SimulatedRun], length: float, top: float
) -> str:
    most = max((value(sample) for run in runs for sample in run.samples), default=0.0) or 1.0
    bottom = top + _HEIGHT
    parts = [
        f'<text x="{_LEFT}" y="{top + 10}" fill="#444">{escape(title)}</text>',
        f'<path d="M{_LEFT} {top}V{bottom}H{_LEFT + _WIDTH}" fill="none" stroke="#999"/>',
        f'<text x="{_LEFT - 6}" y="{top + 12}" text-anchor="end" fill="#444">{most:g}</text>',
        f'<text x="{_LEFT - 6}" y="{bottom}" text-anchor="end" fill="#444">0</text>',
        f'<text x="{_LEFT + _WIDTH}" y="{bottom + 16}" text-anchor="end" fill="#444">{length:g} s</text>',
    ]
    for number, run in enumerate(runs):
        points: list[str] = []
        level = -1.0
        for sample in run.samples:
            if (now := value(sample)) != level:
                x, y = _LEFT + sample.at / length * _WIDTH, bottom - now / most * (_HEIGHT - 14)
                points.append(f"{'H' if points else 'M'}{x:.1f}" + (f"V{y:.1f}" if points else f" {y:.1f}"))
                level = now
        points.append(f"H{_LEFT + _WIDTH}")
        parts.append(
            f'<path d="{"".join(points)}" fill="none" stroke="{_colour(number)}" stroke-width="1.5" opacity="0.85"/>'
        )
    return "\n".join(parts)


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def line(
    run: SimulatedRun, width: int, value: Callable[[SimulatedSample], float] = lambda sample: sample.replicas
) -> str:
    """Instances over time as one line of block characters, each the most of its stretch."""
    if not run.samples:
        return ""
    length = run.samples[-1].at or 1.0
    most = [0.0] * width
    for sample in run.samples:
        column = min(width - 1, int(sample.at / length * width))
        most[column] = max(most[column], value(sample))
    top = max(most) or 1.0
    return "".join(_BLOCKS[math.ceil(level / top * (len(_BLOCKS) - 1))] for level in most)
