"""One view of several router processes: metrics pages added up, functions put together.

Pure. Every series of a router is a count or a number of things, so pages add up series by series. What a process had
counted when it ended stays in the sum as `Sum.keep`, so that counters never go back.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

ORDER = ("ready", "starting", "failed", "idle")
"""Of states told by several processes, the first of these is the function's."""


class Sum:
    """Adds up metrics pages."""

    def __init__(self) -> None:
        self._kept: dict[str, float] = {}

    def keep(self, pages: Iterable[str]) -> None:
        """Keep the counters of a process that ended, from the last pages it wrote; its gauges ended with it."""
        last: dict[str, float] = {}
        for page in pages:
            heads = [line for line in page.splitlines() if line.startswith("# TYPE")]
            gauges = {line.split()[2] for line in heads if line.endswith("gauge")}
            for series, value in _series(page):
                if series.partition("{")[0] not in gauges:
                    last[series] = max(value, last.get(series, 0.0))  # counters only grow: the greater is the later
        for series, value in last.items():
            self._kept[series] = self._kept.get(series, 0.0) + value

    def page(self, pages: Iterable[str], names: Collection[str] = ()) -> str:
        """The page of all processes, of these families if any are named, in the order of the first page."""
        families_kept = dict.fromkeys(names)
        totals = {
            series: value
            for series, value in self._kept.items()
            if not names or _family(series.partition("{")[0], families_kept) in families_kept
        }
        heads: dict[str, None] = {}
        for page in pages:
            for line in page.splitlines():
                if line.startswith("#"):
                    heads[line] = None
            for series, value in _series(page):
                totals[series] = totals.get(series, 0.0) + value
        families: dict[str, list[str]] = {line.split()[2]: [] for line in heads if line.startswith("# TYPE")}
        for series, value in totals.items():
            family = _family(series.partition("{")[0], families)
            families.setdefault(family, []).append(f"{series} {value:.15g}\n")
        lines = []
        for family, samples in families.items():
            lines += [f"{line}\n" for line in heads if line.split()[2] == family]
            lines += samples
        return "".join(lines)


def _series(page: str) -> Iterable[tuple[str, float]]:
    for line in page.splitlines():
        if line and not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            yield series, float(value)


def _family(name: str, families: Mapping[str, object]) -> str:
    for suffix in ("", "_bucket", "_sum", "_count"):
        family = name.removesuffix(suffix)
        if family in families:
            return family
    return name


def functions(told: Iterable[Iterable[dict[str, Any]]]) -> list[dict[str, Any]]:
    """What all processes know of each function; loads and counts are added up."""
    merged: dict[tuple[str, str], dict[str, Any]] = {}
    for process in told:
        for each in process:
            key = each["namespace"], each["name"]
            merged[key] = _both(merged[key], each) if key in merged else each
    return [merged[key] for key in sorted(merged)]


def _both(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    leading = min((a, b), key=lambda each: ORDER.index(each["state"]))
    counts = {name: a[name] + b[name] for name in ("inFlight", "queued", "coldStarts")}
    instances = {each["id"]: each for each in a["instances"]}
    for each in b["instances"]:
        other = instances.get(each["id"])
        instances[each["id"]] = each if other is None else {
            **each, "ready": each["ready"] or other["ready"], "inFlight": each["inFlight"] + other["inFlight"]
        }  # fmt: skip
    started = [each["lastColdStart"] for each in (a, b) if each["lastColdStart"]]
    last = min(started, key=lambda each: each["ago"], default=None)
    fallbacks = Counter(a["fallbacks"])
    fallbacks.update(b["fallbacks"])
    return {**leading, **counts, "instances": list(instances.values()), "lastColdStart": last, "fallbacks": fallbacks}
