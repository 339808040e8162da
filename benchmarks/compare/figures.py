"""The figures of one tree, each from a process of its own that runs that tree's scripts and code."""

import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "runtime"))

import bench

PORT = 18580
FUNCTIONS = 2000
"""That the autoscaler has; five times as many take five times as long."""
bench.STARTS, bench.LOADS = 3, 1  # there are rounds enough


@dataclass(frozen=True)
class Tree:
    """A checkout, and a folder with its packages as an image has them: the router's compiled, the rest as it is."""

    folder: Path
    packages: Path


def prepared(folder: Path, packages: Path) -> Tree:
    """Compile a tree's router and lay its other packages beside it."""
    compiled = ["api/wick_api", "api/wick_kube", "router/wick_router"]
    subprocess.run(
        [sys.executable, "router/compile.py", str(packages), *compiled], cwd=folder, check=True, capture_output=True
    )
    for package in sorted(each.parent for each in folder.glob("[a-z]*/wick_*/__init__.py")):
        if not (packages / package.name).exists():
            shutil.copytree(package, packages / package.name)
    compileall.compile_dir(packages, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    return Tree(folder, packages)


def measure(tree: Tree, only: str) -> dict[str, float]:
    """Every figure by name, with its unit in the name; `only` a part's."""
    parts = {"router": router, "runtime": runtime, "autoscaler": autoscaler}
    found: dict[str, float] = {}
    for name, part in parts.items():
        if only in ("", name):
            found |= part(tree)
    return found


def router(tree: Tree) -> dict[str, float]:
    alike, differ, page = _run(tree, str(Path(__file__).parent / "warm_request.py")).split()
    return {
        "router: a warm request, µs": float(alike),
        "router: one whose answer's head is new, µs": float(differ),
        "router: a metrics page, ms": float(page),
    }


def runtime(tree: Tree) -> dict[str, float]:
    """By this tree's script: it knows the runtime by command, environment and sockets only."""
    commands = bench.servers(sys.executable, PORT, tree.packages)
    cores = sorted(os.sched_getaffinity(0))
    found = {}
    for kind in ("async", "sync", "bare ASGI"):
        start, cost, _, memory = bench.measure(*commands[f"kubewick, {kind}"], PORT, (cores[0], cores[-1]))
        found[f"runtime, {kind}: a request, µs"] = cost
        found[f"runtime, {kind}: exec to first 200, ms"] = start
        found[f"runtime, {kind}: idle memory, MB"] = memory
    return found


def autoscaler(tree: Tree) -> dict[str, float]:
    said = _run(tree, "benchmarks/autoscaler/tick.py", str(FUNCTIONS))
    rows = re.findall(r"^\| ((?:read|decide) [^|]*) \| ([\d.]+) \|", said, re.MULTILINE)
    return {f"autoscaler: {name}, ms": float(median) for name, median in rows}


def _run(tree: Tree, script: str, *arguments: str) -> str:
    """What a script, the tree's unless it is absolute, prints when it runs on the tree's packages and benchmarks."""
    paths = (tree.packages, tree.folder / "benchmarks" / "router")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
    command = [sys.executable, str(tree.folder / script), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{tree.folder / script} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
