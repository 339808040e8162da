"""Counts how the code is laid out: `python docs/structure.py [CHECKOUT]`; without one, this one.

Circles are groups of modules that import one another (strongly connected components of the import graph), imports for
type checkers included. A name is repeated when two public classes at the top level of modules have it.
"""

import ast
import json
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import grimp

HERE = Path(__file__).parent.parent
FOLDERS = ("api", "operator", "router", "runtime-image", "cli")


def packages(checkout: Path) -> dict[str, Path]:
    """Our packages by name."""
    return {
        path.parent.name: path.parent for folder in FOLDERS for path in checkout.glob(f"{folder}/wick_*/__init__.py")
    }


def modules(checkout: Path) -> Iterator[tuple[str, Path]]:
    """Dotted name and file of each of our modules."""
    for package in packages(checkout).values():
        for path in sorted(package.rglob("*.py")):
            parts = path.relative_to(package.parent).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def classes(checkout: Path) -> dict[str, list[str]]:
    """Modules that define a public class, by the class's name."""
    found = defaultdict(list)
    for module, path in modules(checkout):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(module)
    return found


def circles(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of modules of which each imports each other, by way of others or not (Tarjan, 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in sorted(imports[module]):
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            at = stack.index(module)
            group, stack[at:] = sorted(stack[at:]), []
            if len(group) > 1:
                found.append(group)

    for module in sorted(imports):
        if module not in index:
            visit(module)
    return found


def graph(checkout: Path) -> dict[str, set[str]]:
    """Which of our modules each imports; a package's own `__init__` is left out."""
    found = packages(checkout)
    sys.path[:0] = [str(path.parent) for path in found.values()]
    built = grimp.build_graph(*found, cache_dir=None)
    return {module: set(built.find_modules_directly_imported_by(module)) for module in built.modules}


def counted(checkout: Path) -> dict[str, object]:
    """All numbers."""
    names = classes(checkout)
    folders = {
        str(folder.relative_to(checkout)): len([path for path in folder.glob("*.py") if path.name != "__init__.py"])
        for package in packages(checkout).values()
        for folder in {path.parent for path in package.rglob("*.py")}
    }
    linter = tomllib.loads((checkout / "pyproject.toml").read_text())["tool"]["importlinter"]
    lengths = {module: len(path.read_text().splitlines()) for module, path in modules(checkout)}
    return {
        "modules": len(lengths),
        "circles": circles(graph(checkout)),
        "folders of more than 20 files": {folder: count for folder, count in folders.items() if count > 20},
        "public classes": sum(map(len, names.values())),
        "repeated class names": {name: where for name, where in sorted(names.items()) if len(where) > 1},
        "contracts": len(linter["contracts"]),
        "modules named in contracts": sum(len(each.get("source_modules", ())) for each in linter["contracts"]),
        "files of more than 400 lines": {module: lines for module, lines in lengths.items() if lines > 400},
    }


if __name__ == "__main__":
    print(json.dumps(counted(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else HERE), indent=2))
