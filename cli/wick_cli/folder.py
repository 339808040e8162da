"""Where functions are found on disk, and the folder convention.

A **function folder** holds ``function.yaml`` and the code beside it. When that file sets neither ``source`` nor
``image``, the text files beside and below it become ``source.inline``, so code is edited as code and applied as one
object. Left out: ``function.yaml`` itself, tests, hidden files, caches and virtual environments.

A folder without ``function.yaml`` is read as ``kubectl apply -f folder`` would, every ``*.yaml`` and ``*.yml`` in it,
and then searched for function folders below.
"""

from collections.abc import Iterator
from pathlib import Path

FUNCTION_FILE = "function.yaml"
MAX_SOURCE_BYTES = 900_000
"""Of one function's files together; a ConfigMap, which carries them in the cluster, may have 1 MiB in all."""

_NEVER = {"__pycache__", "node_modules", "site-packages", "tests", "venv"}
_SUFFIXES = {".yaml", ".yml"}


def manifest_files(path: Path) -> list[Path]:
    """Files with manifests that `path`, a file or a folder, stands for; ``FileNotFoundError`` when it is neither."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(path)
    if (path / FUNCTION_FILE).is_file():
        return [path / FUNCTION_FILE]
    own = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES and file.is_file())
    below = (folder / FUNCTION_FILE for folder in _folders(path))
    return own + [file for file in below if file.is_file()]


def source_files(folder: Path) -> list[Path]:
    """Files that the convention would put into ``source.inline``, in order of their paths."""
    here = [folder, *_folders(folder)]
    return sorted(file for each in here for file in each.iterdir() if file.is_file() and _is_source(file, folder))


def read_source(folder: Path) -> dict[str, str]:
    """Read ``source.inline`` from a function folder; ``ValueError`` says which file cannot be part of it."""
    source = {}
    for file in source_files(folder):
        name = file.relative_to(folder).as_posix()
        try:
            source[name] = file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            remedy = "mount data from a ConfigMap's binaryData (spec.configMaps) or a Secret, or build an image"
            raise ValueError(f"{name} is not UTF-8 text, and a function's files are; {remedy}") from error
    size = sum(len(text.encode()) for text in source.values())
    if size > MAX_SOURCE_BYTES:
        raise ValueError(f"the files are {size:,} bytes, more than {MAX_SOURCE_BYTES:,}; build an image instead")
    return source


def _folders(path: Path) -> Iterator[Path]:
    for folder in sorted(path.iterdir()):
        if folder.is_dir() and not folder.name.startswith(".") and folder.name not in _NEVER:
            yield folder
            yield from _folders(folder)


def _is_source(file: Path, folder: Path) -> bool:
    if file.name.startswith(".") or file.suffix == ".pyc" or file == folder / FUNCTION_FILE:
        return False
    is_test = file.suffix == ".py" and (file.stem.startswith("test_") or file.stem.endswith("_test"))
    return not is_test and file.name != "conftest.py"
