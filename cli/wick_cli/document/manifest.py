"""YAML as people write it: each document with the line it, and every field in it, stands on.

Pure: text in, documents and problems out. Two departures from PyYAML's defaults, both towards what ``kubectl`` does:
``2026-01-01`` stays text, and a key given twice is an error, not a silent last-one-wins.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode


@dataclass(frozen=True)
class ManifestProblem:
    """Something a person must change in a file; prints as ``file:line: message``."""

    file: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


@dataclass(frozen=True)
class Document:
    """One object of a YAML file."""

    file: Path
    manifest: dict[str, Any]
    node: Node

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
        for node, manifest in _nodes(text):
            problems += [ManifestProblem(file, line, f"{key!r} is given twice") for key, line in _repeated(node)]
            if isinstance(manifest, dict):
                documents.append(Document(file, manifest, node))
            elif manifest is not None:
                line = int(node.start_mark.line) + 1
                problems.append(ManifestProblem(file, line, "expected an object with apiVersion and kind"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problems.append(
            ManifestProblem(file, mark.line + 1 if mark else 1, f"not YAML: {error.problem or error.context}")
        )
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problems.append(ManifestProblem(file, line, f"not YAML: {error.reason}"))
    return documents, problems


class _Loader(yaml.SafeLoader):
    """Kubernetes knows no dates, only text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _nodes(text: str) -> Iterator[tuple[Node, Any]]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                yield node, loader.construct_document(node)
    finally:
        loader.dispose()


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


def _repeated(node: Node) -> Iterator[tuple[str, int]]:
    """Keys that occur twice in one mapping, with the line of the second."""
    if isinstance(node, SequenceNode):
        for item in node.value:
            yield from _repeated(item)
    if isinstance(node, MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, ScalarNode):
                if key.value in seen:
                    yield key.value, int(key.start_mark.line) + 1
                seen.add(key.value)
            yield from _repeated(value)
