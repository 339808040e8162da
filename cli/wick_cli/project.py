"""What a person hands to ``wick up`` and ``wick deploy``: Functions and the ConfigMaps and Secrets they name.

Broken documents become `ManifestProblem`s beside the good ones, never an exception: ``wick up`` serves the rest, ``wick
deploy`` prints them all and applies nothing.
"""

import codecs
import dataclasses
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from wick_api import names
from wick_api.function import Function, SpecInvalid, parse
from wick_api.names import Key
from wick_cli import folder
from wick_cli.document import manifest, schema
from wick_cli.document.manifest import Document, ManifestProblem
from wick_cli.document.objects import identity_problems, supporting_problems, without_nulls
from wick_cli.document.scalar import replaced
from wick_cli.document.stored import source_problem

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
SUPPORTING = ("ConfigMap", "Secret")


@dataclass(frozen=True)
class Authored:
    """A Function and the document it was written in, for messages with a line."""

    function: Function
    document: Document


@dataclass(frozen=True)
class Project:
    """Everything found under the given paths."""

    functions: dict[Key, Authored] = field(default_factory=dict)
    config_maps: dict[Key, Document] = field(default_factory=dict)
    secrets: dict[Key, Document] = field(default_factory=dict)
    others: tuple[Document, ...] = ()
    problems: tuple[ManifestProblem, ...] = ()
    outdated: dict[Key, ManifestProblem] = field(default_factory=dict)
    """Functions as their files said before they broke, and what is wrong with those files now."""

    @property
    def warnings(self) -> tuple[ManifestProblem, ...]:
        """What is read otherwise than its author may think; in the order of `wick deploy`."""
        functions = (authored.document for authored in self.functions.values())
        documents = (*self.config_maps.values(), *self.secrets.values(), *functions)
        return tuple(warning for document in documents for warning in document.warnings)

    def without(self, keys: AbstractSet[Key]) -> Self:
        """The same with these Functions left out."""
        kept = {key: authored for key, authored in self.functions.items() if key not in keys}
        return dataclasses.replace(self, functions=kept)


def read(paths: Iterable[Path], namespace: str = "default") -> Project:
    """Read files and folders; `namespace` is given to documents that name none."""
    documents: list[Document] = []
    problems: list[ManifestProblem] = []
    for path in paths:
        try:
            files = folder.manifest_files(path)
        except FileNotFoundError:
            problems.append(ManifestProblem(path, 0, "no such file or folder"))
            continue
        except OSError as error:
            problems.append(ManifestProblem(path, 0, f"cannot be read: {error}"))
            continue
        for file in files:
            found, wrong = _read_file(file)
            documents += found
            problems += wrong
    return assemble(documents, problems, namespace)


def assemble(documents: Sequence[Document], problems: Sequence[ManifestProblem], namespace: str) -> Project:
    """Sort documents by kind and parse the Functions; pure apart from filling in missing namespaces."""
    functions: dict[Key, Authored] = {}
    supporting: dict[str, dict[Key, Document]] = {kind: {} for kind in SUPPORTING}
    others: list[Document] = []
    wrong = list(problems)
    for document in documents:
        kind = document.manifest.get("kind")
        metadata = document.manifest.get("metadata")
        if isinstance(metadata, dict) and metadata.get("namespace") in (None, ""):
            metadata["namespace"] = namespace
        problems_of = list(identity_problems(document.manifest))
        if not problems_of and kind in supporting:
            problems_of = list(supporting_problems(document.manifest))
        wrong += [document.problem(message) for message in problems_of]
        if problems_of or not isinstance(metadata, dict):
            continue
        if kind == names.KIND and str(document.manifest["apiVersion"]).startswith(f"{names.GROUP}/"):
            _add_function(document, functions, wrong)
        elif kind in supporting:
            supporting[kind][Key(metadata["namespace"], metadata["name"])] = document
        else:
            others.append(document)
    return Project(functions, supporting["ConfigMap"], supporting["Secret"], tuple(others), tuple(wrong))


def watched_files(paths: Iterable[Path]) -> set[Path]:
    """Files whose change may change the Project, for reloading."""
    found: set[Path] = set()
    for path in paths:
        try:
            files = folder.manifest_files(path)
        except FileNotFoundError:
            continue
        found.update(files)
        for file in files:
            if file.name == folder.FUNCTION_FILE:
                found.update(folder.source_files(file.parent))
    return found


def _read_file(file: Path) -> tuple[list[Document], list[ManifestProblem]]:
    try:
        data = file.read_bytes()
        text = data.decode("utf-16") if data[:2] in _UTF16 else replaced(data)
    except (OSError, UnicodeDecodeError) as error:
        return [], [ManifestProblem(file, 1, f"cannot be read: {error}")]
    documents, problems = manifest.read(file, text)
    if file.name == folder.FUNCTION_FILE:
        return _with_the_files_beside(documents, file.parent, problems)
    return documents, problems


def _with_the_files_beside(
    documents: Sequence[Document], here: Path, problems: list[ManifestProblem]
) -> tuple[list[Document], list[ManifestProblem]]:
    """Less the documents whose files cannot be taken, of which that is the problem and not what they lack then."""
    whole = []
    for document in documents:
        if _wants_the_files_beside(document.manifest):
            try:
                document.manifest["spec"]["source"] = {"inline": folder.read_source(here)}
            except (OSError, ValueError) as error:
                problems.append(document.problem(f"spec: {error}"))
                continue
        whole.append(document)
    return whole, problems


def _wants_the_files_beside(written: dict[str, Any]) -> bool:
    spec = written.setdefault("spec", {}) if written.get("kind") == names.KIND else None
    return isinstance(spec, dict) and "source" not in spec and "image" not in spec


def _add_function(document: Document, functions: dict[Key, Authored], problems: list[ManifestProblem]) -> None:
    manifest = {
        **schema.defaulted(document.manifest, schema.function_schema()),
        "metadata": without_nulls(document.manifest["metadata"]),
    }
    refused = [document.problem(message) for message in schema.function_problems(manifest)]
    if refused:
        problems += refused
        return
    try:
        function = parse(manifest)
    except SpecInvalid as error:
        problems.append(document.problem(str(error)))
        return
    inline = function.spec.source.inline if function.spec.source else None
    if too_large := source_problem(inline or {}):
        problems.append(document.problem(too_large))
        return
    first = functions.get(function.key)
    if first is not None:
        where = f"{first.document.file}:{first.document.line()}"
        problems.append(document.problem(f"metadata.name: Function {function.key} is already in {where}"))
        return
    functions[function.key] = Authored(function, document)
