"""A file's documents as ``kubectl`` separates and reads them: YAML, or JSON where it begins with ``{``. Pure.

::

    text --_chunks--> chunks --libyaml--> nodes --_Values--> what JSON can say

A chunk ends at a line ``---`` with nothing but blanks or a comment behind it. Of what a chunk holds, the first
document counts. A key given twice counts with its last value, which is a warning. ``<<`` counts where it stands: what
it brings wins over what stands before it.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from wick_cli.document.scalar import PLAIN, QUOTED, Scalar, ScalarRefused, key_text, number, resolve

_MERGE = "tag:yaml.org,2002:merge"
_SEPARATOR = re.compile(r"---[ \t]*(#.*)?\r?")
_REST = re.compile(r"\n\.\.\.[ \t\r]*\n\s*[^\s#]")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_DEEPEST = 200
_MOST_VALUES = 400_000
"""Of one document, aliases followed: far more than a Function can have."""


class DocumentMalformed(ValueError):
    """What kubectl refuses; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(frozen=True)
class Parsed:
    """One document."""

    value: Any
    node: Node
    warnings: tuple[tuple[int, str], ...] = ()
    """Line and message of what is read otherwise than it looks."""


def parse(text: str) -> Iterator[Parsed]:
    """Documents in order, empty ones left out; `DocumentMalformed` where the rest cannot be read."""
    text = text.removeprefix("\ufeff")
    at = 0
    if text.lstrip().startswith("{"):
        values, at = _json_values(text)
        for start, value in values:
            yield Parsed(value, _placed(text, start))
    for line, chunk in _chunks(text, at):
        parsed = _document(line, chunk)
        if parsed is not None and parsed.value is not None:
            yield parsed


def _chunks(text: str, at: int) -> Iterator[tuple[int, str]]:
    """What stands between separators from `at` on, each with the number of its first line."""
    begin = text.count("\n", 0, at) + 1
    lines: list[str] = []
    for count, line in enumerate(text[at:].split("\n"), begin):
        if _SEPARATOR.fullmatch(line):
            yield begin, "\n".join(lines)
            begin, lines = count + 1, []
        elif line.startswith("---"):
            raise DocumentMalformed(count, "not YAML: nothing but a comment may follow ---")
        else:
            lines.append(line)
    yield begin, "\n".join(lines)


# libyaml, of which go-yaml is a port, where PyYAML comes with it (all of its wheels do)
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _compose(events: Any) -> Node | None:
    """Nodes of the next document; a scalar's tag says how it is written. Unlike PyYAML's composer, which refuses it, an
    anchor may be given again.
    """
    while not isinstance(event := events.get_event(), yaml.DocumentStartEvent):
        if event is None or isinstance(event, yaml.StreamEndEvent):
            return None
    return _node(events, events.get_event(), {}, 0)


def _node(events: Any, event: Any, anchors: dict[str, Node], depth: int) -> Node:
    if isinstance(event, yaml.AliasEvent):
        if event.anchor not in anchors:
            raise DocumentMalformed(_at(event), f"not YAML: unknown anchor {event.anchor!r}")
        return anchors[event.anchor]
    if depth > _DEEPEST:
        raise DocumentMalformed(_at(event), "not YAML: nested too deeply")
    start, end = event.start_mark, event.end_mark
    if isinstance(event, yaml.ScalarEvent):
        tag = event.tag if event.tag not in (None, "!") else PLAIN if event.implicit[0] else QUOTED
        node: Node = ScalarNode(tag, event.value, start, end, style=event.style)
        if event.anchor:
            anchors[event.anchor] = node
        return node
    mapping = isinstance(event, yaml.MappingStartEvent)
    below: list[Any] = []
    node = MappingNode("", below, start, end) if mapping else SequenceNode("", below, start, end)
    if event.anchor:
        anchors[event.anchor] = node
    while not isinstance(event := events.get_event(), (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
        first = _node(events, event, anchors, depth + 1)
        below.append((first, _node(events, events.get_event(), anchors, depth + 1)) if mapping else first)
    return node


def _at(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _document(line: int, chunk: str) -> Parsed | None:
    """The first document of a chunk that begins on `line`."""
    text = "\n" * (line - 1) + chunk.removeprefix("\ufeff")  # so that marks count the file's lines
    try:
        events = _Parser(text)
        try:
            node = _compose(events)
        finally:
            events.dispose()
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark
        raise DocumentMalformed(
            mark.line + 1 if mark else line, f"not YAML: {error.problem or error.context}"
        ) from error
    except yaml.reader.ReaderError as error:
        raise DocumentMalformed(
            line + chunk.count("\n", 0, int(error.position)), f"not YAML: {error.reason}"
        ) from error
    except UnicodeEncodeError as error:
        raise DocumentMalformed(line, "not YAML: half of a surrogate pair") from error
    if node is None:
        return None
    values = _Values(text)
    value = values.of(node)
    rest = _REST.search(chunk)
    if rest:
        values.warnings.append((line + chunk.count("\n", 0, rest.end()), "kubectl ignores what follows a line ..."))
    return Parsed(value, node, tuple(values.warnings))


class _Values:
    """Values of one document's nodes."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._inside: set[int] = set()
        self._count = 0
        self.warnings: list[tuple[int, str]] = []

    def of(self, node: Node) -> Any:
        """Each alias gets a value of its own, so that a change of one is none of the other."""
        self._count += 1
        if self._count > _MOST_VALUES:
            raise DocumentMalformed(_line(node), "not YAML for kubectl: aliases make it too large")
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        if id(node) in self._inside:
            raise DocumentMalformed(_line(node), "not YAML: an anchor contains itself")
        self._inside.add(id(node))
        value = self._mapping(node) if isinstance(node, MappingNode) else [self.of(each) for each in node.value]
        self._inside.discard(id(node))
        return value

    def _scalar(self, node: ScalarNode) -> Scalar:
        if node.style == '"' and "/" in _ESCAPE.findall(self._text[node.start_mark.index : node.end_mark.index]):
            raise DocumentMalformed(_line(node), "not YAML for kubectl: \\/ is an escape in JSON alone")
        if node.tag == PLAIN and self._text.startswith("!", node.start_mark.index):
            return str(node.value)  # `! 1` is text
        try:
            return resolve(node.tag, node.value)
        except ScalarRefused as error:
            raise DocumentMalformed(_line(node), f"not YAML for kubectl: {error}") from error

    def _mapping(self, node: MappingNode) -> dict[str, Any]:
        found: dict[str, Any] = {}
        given: set[str] = set()
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.value == "<<" and key.tag in (PLAIN, _MERGE):
                self._merge(found, value)
                continue
            name = self._key(key)
            if name in given:
                self.warnings.append((_line(key), f"{name!r} is given twice; the last one counts"))
            given.add(name)
            found[name] = self.of(value)
        return found

    def _key(self, node: Node) -> str:
        if not isinstance(node, ScalarNode):
            raise DocumentMalformed(_line(node), "not YAML for kubectl: a key is text, a number or a boolean")
        try:
            return key_text(self._scalar(node))
        except ScalarRefused as error:
            raise DocumentMalformed(_line(node), f"not YAML for kubectl: {error}") from error

    def _merge(self, into: dict[str, Any], node: Node) -> None:
        """What is merged wins over what stands before it, and of a list the first wins."""
        sources = reversed(node.value) if isinstance(node, SequenceNode) else [node]
        for source in sources:
            if not isinstance(source, MappingNode):
                raise DocumentMalformed(_line(node), "not YAML for kubectl: << takes an object or a list of objects")
            into.update(self.of(source))


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _json_values(text: str) -> tuple[list[tuple[int, Any]], int]:
    """JSON values with their offsets, up to where YAML goes on: at a ``---``, or at what is no JSON."""
    decoder = json.JSONDecoder(parse_float=_number, parse_int=_number, parse_constant=_no_constant)
    values: list[tuple[int, Any]] = []
    at = 0
    while True:
        start = len(text) - len(text[at:].lstrip())
        if start == len(text) or text.startswith("---", start):
            return values, start
        try:
            value, at = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            return values, start
        values.append((start, _whole(value)))


def _number(text: str) -> int | float:
    if text.lstrip("-").isdecimal() and len(text) < 20:  # noqa: PLR2004 - digits of 64 bits
        return number(int(text))
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number(value)


def _no_constant(text: str) -> None:
    raise ValueError(text)


def _whole(value: Any) -> Any:
    """The same with halves of surrogate pairs replaced, as Go does."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, dict):
        return {_whole(name): _whole(each) for name, each in value.items()}
    return value


def _placed(text: str, start: int) -> Node:
    """Nodes of a JSON value, for lines; only the first line is known of JSON that is no YAML."""
    line = text.count("\n", 0, start)
    events = _Parser("\n" * line + text[start:])
    try:
        return _compose(events) or _nowhere(line)
    except (yaml.YAMLError, DocumentMalformed):
        return _nowhere(line)
    finally:
        events.dispose()


def _nowhere(line: int) -> Node:
    mark = yaml.Mark("", 0, line, 0, None, 0)
    return MappingNode("tag:yaml.org,2002:map", [], mark, mark)
