"""One function as ``wick up`` shows it: a row of the live table, or a line when something changed. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from wick_api.names import Key


@dataclass(frozen=True)
class Row:
    """What is shown of one function."""

    key: Key
    url: str
    state: str
    """``idle``, ``starting``, ``ready`` or ``failed``, as the router says."""
    ready: int
    wanted: int
    in_flight: int
    """Requests being served or waiting."""
    cold_starts: int
    last_cold_start: float | None
    """Milliseconds."""
    why: str
    failed: bool = False
    """Something must be mended, though an older revision may serve."""

    @property
    def name(self) -> str:
        """Short where it can be: the namespace is left out when it is ``default``."""
        return self.key.name if self.key.namespace == "default" else str(self.key)


def news(before: Mapping[Key, Row], now: Mapping[Key, Row]) -> Iterator[str]:
    """Lines for what a person following along wants to know: states, instances and reasons that changed."""
    for key, row in now.items():
        old = before.get(key)
        if old is None:
            yield f"{row.name}: {row.url}"
            if row.state == "idle":
                continue
        elif _told(old) == _told(row):
            continue
        yield f"{row.name}: {_words(old, row)}"
    for key in before.keys() - now.keys():
        yield f"{before[key].name}: gone"


def _told(row: Row) -> tuple[str, int, str]:
    """What a change of is worth a line."""
    return row.state, row.ready, row.why if row.failed or row.state == "failed" else ""


def _words(old: Row | None, row: Row) -> str:
    if row.state == "failed":
        return f"failed: {row.why}"
    if row.state != "ready":
        return row.state
    if row.failed and not (old and old.failed):
        return row.why
    started = row.cold_starts > (old.cold_starts if old else 0) and row.last_cold_start is not None
    cold = f", cold start {row.last_cold_start:.0f} ms" if started else ""
    return f"ready, {row.ready} {'instance' if row.ready == 1 else 'instances'}{cold}"
