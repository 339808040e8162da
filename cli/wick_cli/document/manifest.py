"""YAML as people write it: each document with the line it, and every field in it, stands on.

Pure: text in, documents and problems out, read as ``kubectl`` reads them (`wick_cli.document.stream`).
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml import MappingNode, Node, SequenceNode

from wick_cli.document import stream
from wick_cli.document.stream import DocumentMalformed


@dataclass(frozen=True)
class ManifestProblem:
    """Something a person must change in a file; prints as ``file:line: message``."""

    file: Path
    line: int
    """From 1; 0 where the file as a whole is meant."""
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else str(self.file)
        return f"{where}: {self.message}"


@dataclass(frozen=True)
class Document:
    """One object of a YAML file."""

    file: Path
    manifest: dict[str, Any]
    node: Node
    warnings: tuple[ManifestProblem, ...] = ()
    """What is read otherwise than it looks."""

    def line(self, field: str = "") -> int:
        """Line, from 1, of a field written like ``spec.env[0].name``, or of the nearest parent the file has."""
        node = self.node
        mark = node.start_mark
        for step in re.findall(r"[^.\[\]]+", field):
            below = _step(node, step)
            if below is None:
                break
            mark, node = below
        return int(mark.line) + 1

    def problem(self, message: str) -> ManifestProblem:
        """Place a message that begins with its field, as `wick_api.function.Invalid` does: ``spec.scale.max: …``."""
        field, colon, _ = message.partition(": ")
        return ManifestProblem(self.file, self.line(field if colon else ""), message)


def read(file: Path, text: str) -> tuple[list[Document], list[ManifestProblem]]:
    """Documents of one file; empty ones are skipped, a broken one ends the reading, the ones before it count."""
    documents: list[Document] = []
    problems: list[ManifestProblem] = []
    try:
        for parsed in stream.parse(text):
            if not isinstance(parsed.value, dict):
                line = int(parsed.node.start_mark.line) + 1
                problems.append(ManifestProblem(file, line, "expected an object with apiVersion and kind"))
                continue
            warnings = tuple(ManifestProblem(file, line, message) for line, message in parsed.warnings)
            found, wrong = _items(Document(file, parsed.value, parsed.node, warnings))
            documents += found
            problems += wrong
    except DocumentMalformed as error:
        problems.append(ManifestProblem(file, error.line, error.message))
    return documents, problems


def _items(document: Document) -> tuple[list[Document], list[ManifestProblem]]:
    """The objects of a list (``kind: List``, ``ConfigMapList``), or the document itself."""
    kind, items = document.manifest.get("kind"), document.manifest.get("items")
    if not isinstance(kind, str) or not kind.endswith("List") or not isinstance(items, list):
        return [document], []
    found: list[Document] = []
    problems: list[ManifestProblem] = []
    inherited = {"apiVersion": document.manifest.get("apiVersion"), "kind": kind.removesuffix("List")}
    for index, item in enumerate(items):
        step = _step(document.node, "items")
        below = _step(step[1], str(index)) if step else None
        node = below[1] if below else document.node
        if not isinstance(item, dict) or isinstance(item.get("items"), list):
            problems.append(document.problem(f"items[{index}]: expected an object with apiVersion and kind"))
            continue
        manifest = item if kind == "List" else {**inherited, **item}
        found.append(Document(document.file, manifest, node, document.warnings if not found else ()))
    return found, problems


def _step(node: Node, step: str) -> tuple[yaml.Mark, Node] | None:
    """Go one key or index down; the mark is the key's, where an editor would put the cursor."""
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key.start_mark, value
    if isinstance(node, SequenceNode) and step.isdecimal() and int(step) < len(node.value):
        value = node.value[int(step)]
        return value.start_mark, value
    return None
