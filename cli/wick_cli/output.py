"""What commands print: a table for people, JSON or YAML for programs."""

import datetime as dt
import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

FORMATS = ("table", "json", "yaml")


def output_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--output``."""
    return click.option(
        "--output", "-o", type=click.Choice(FORMATS), default="table", show_default=True, help="How to print."
    )(command)


def structured(value: Any, output: str) -> str:
    """JSON or YAML text of a value."""
    if output == "json":
        return json.dumps(value, indent=2)
    from wick_cli.document.dump import dump  # noqa: PLC0415 - 20 ms that the other formats don't need

    return dump(value)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, two blanks apart, the last as long as it likes."""
    lines = [list(head), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def age(since: str | None, now: dt.datetime) -> str:
    """How long ago an RFC 3339 time was, in one unit, like ``kubectl``; empty when unknown."""
    if not since:
        return ""
    seconds = max(0, int((now - dt.datetime.fromisoformat(since)).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def condition(shown: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """One condition of a Function's status; empty when it has none such."""
    conditions = (shown.get("status") or {}).get("conditions") or []
    return next((found for found in conditions if found.get("type") == kind), {})


def printable(text: str) -> str:
    """Escape what would drive a terminal rather than be read in it, as Python writes it in a string.

    Control characters but tab and newline, lone surrogates (which no stream can encode), and the marks that turn the
    direction of writing (Unicode Annex 9) or break a line where nobody sees it.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _harmless(character) else _escaped(character) for character in text)


def _harmless(character: str) -> bool:
    category = unicodedata.category(character)
    return character in "\t\n" or (category not in _DRIVING and character not in _TURNING)


_DRIVING = {"Cc", "Cs", "Zl", "Zp"}
_TURNING = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
