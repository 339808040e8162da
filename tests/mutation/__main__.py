"""`python -m mutation [FOLDER]`, with `tests/` on the path; `make mutants` calls it.

mutmut changes one expression of a pure folder at a time, and runs the unit tests that reach it: a change that no test
notices has *survived*. Each survivor is either killed by a new test or kept in `survivors.toml` with a reason.

    FOLDER --> dist/mutants/FOLDER: its package, tests/ --mutmut, at most MINUTES--> survivors - kept = what is told

What was changed and by which text names a mutant; mutmut's own numbers move with every edit.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
WORK = ROOT / "dist" / "mutants"
KEPT = Path(__file__).with_name("survivors.toml")
IMPURE = {"random", "socket", "time"}
"""Modules that every contract about a pure folder forbids."""
EXAMPLES = {"KUBEWICK_EXAMPLES": "25"}
"""Of each property: the usual hundred kill few more, in four times the time."""
BESIDE = ("benchmarks", "crds")
"""Folders that unit tests read from."""
UNFIT = {"test_import_budget.py"}
"""Tests of what a process loads: mutmut's own modules are among that."""
KILLED = {"killed", "timeout", "suspicious", "segfault", "caught by type check"}
UNDECIDED = {"not checked", "check was interrupted by user"}


class Mutant(NamedTuple):
    """One changed expression, by what stood there and what stands there instead."""

    function: str
    was: str
    becomes: str

    def __str__(self) -> str:
        return f"{self.function}\n  - {self.was}\n  + {self.becomes}"


def project() -> dict[str, Any]:
    """The project's configuration."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def pure_folders(configuration: Mapping[str, Any]) -> list[str]:
    """Packages and modules that a `forbidden` contract keeps from clock, network and randomness."""
    found = {
        module
        for contract in configuration["tool"]["importlinter"]["contracts"]
        if contract["type"] == "forbidden" and set(contract["forbidden_modules"]) >= IMPURE
        for module in contract["source_modules"]
    }
    return sorted(found)


def test_files(folder: str, tests: Path) -> list[str]:
    """The unit tests beside one that names the folder, relative to the folder of all tests' parent."""
    parent, _, last = folder.rpartition(".")
    spellings = (folder, f"from {parent} import {last}")
    files = sorted((tests / "unit").rglob("test_*.py"))
    naming = {file.parent for file in files if any(each in file.read_text() for each in spellings)}
    return [str(file.relative_to(tests.parent)) for file in files if file.parent in naming and file.name not in UNFIT]


def changed(diff: str) -> tuple[str, str]:
    """What a unified diff takes away and what it puts there: lines joined, without white space at their ends."""
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++", "#", "@@"))]
    was, becomes = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return was, becomes


def function_of(name: str) -> str:
    """`a.b.xǁClassǁmethod__mutmut_3` and `a.b.x_function__mutmut_3` as `a.b.Class.method` and `a.b.function`."""
    module, _, mangled = name.partition("__mutmut_")[0].rpartition(".")
    inner = mangled.removeprefix("xǁ").replace("ǁ", ".") if mangled.startswith("xǁ") else mangled.removeprefix("x_")
    return f"{module}.{inner}"


def kept(text: str) -> dict[Mutant, str]:
    """Survivors that are accepted, with the reason of each."""
    return {
        Mutant(each["function"], each["was"], each["becomes"]): each["reason"]
        for each in tomllib.loads(text).get("survivor", ())
    }


def prepare(folder: str, tests: Sequence[str], configuration: Mapping[str, Any]) -> Path:
    """A folder for mutmut, with what it needs and nothing of the tree's own."""
    package = folder.partition(".")[0]
    wheel = configuration["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    (source,) = [ROOT / each for each in wheel if Path(each).name == package]
    here = WORK / folder
    for path in (
        source,
        *(ROOT / name for name in ("tests", *BESIDE)),
    ):  # what mutmut knows of an earlier run stays: it goes on where it ended
        shutil.rmtree(here / path.name, ignore_errors=True)
        shutil.copytree(path, here / path.name, ignore=shutil.ignore_patterns("__pycache__"))
    inside = folder.replace(".", "/")
    ours = f"{inside}/*" if (here / inside).is_dir() else f"{inside}.py"
    settings = {
        "source_paths": [package],
        "only_mutate": [ours],
        "also_copy": list(BESIDE),
        "pytest_add_cli_args_test_selection": list(tests),
        "pytest_add_cli_args": ["--import-mode=importlib", "-p", "no:cacheprovider"],
        "use_git_change_detection": False,
    }
    options = configuration["tool"]["pytest"]["ini_options"]
    settings_of_pytest = {"asyncio_mode": options["asyncio_mode"], "pythonpath": ["tests"], "timeout": 60}
    settings_of_pytest["asyncio_default_fixture_loop_scope"] = options["asyncio_default_fixture_loop_scope"]
    settings_of_pytest["markers"] = options["markers"]
    (here / "pyproject.toml").write_text(
        _table("tool.mutmut", settings) + _table("tool.pytest.ini_options", settings_of_pytest)
    )
    return here


def _table(name: str, settings: Mapping[str, Any]) -> str:
    """A TOML table; JSON's strings, numbers, booleans and lists are TOML's."""
    lines = [
        f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}" for key, value in settings.items()
    ]
    return "\n".join([f"[{name}]", *lines, ""])


SHOW = """
import json, sys
from mutmut.mutation.diff_apply import get_diff_for_mutant
print(json.dumps({name: get_diff_for_mutant(name) for name in json.load(sys.stdin)}))
"""
"""All at once: `mutmut show` takes a second for each."""


def python(here: Path, *arguments: str, stdin: str = "") -> str:
    """Call it where mutmut finds its configuration; what it says."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=here, input=stdin, capture_output=True, text=True, check=True).stdout


def diffs(here: Path, names: Sequence[str]) -> dict[str, str]:
    """What each of these mutants changes."""
    found: dict[str, str] = json.loads(python(here, "-c", SHOW, stdin=json.dumps(names)))
    return found


def run(here: Path, minutes: float, at_once: int) -> None:
    """Have it check mutants until all are, or the time is over; what was checked until then stays known."""
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(at_once)]
    with (
        (here / "mutmut.log").open("wb") as log,
        subprocess.Popen(command, cwd=here, stdout=log, start_new_session=True, env=os.environ | EXAMPLES) as running,
    ):
        try:
            running.wait(minutes * 60)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)  # a mutant may do anything, and its process as well


def outcomes(here: Path) -> Iterator[tuple[str, str]]:
    """Name and outcome of every mutant."""
    for line in python(here, "-m", "mutmut", "results", "--all", "true").splitlines():
        name, colon, outcome = line.strip().rpartition(": ")
        if colon and "__mutmut_" in name:
            yield name, outcome


def report(folder: str, found: Iterable[tuple[str, str]], here: Path) -> bool:
    """Print what a person must look at; whether there is nothing."""
    found = list(found)
    undecided = sum(outcome in UNDECIDED for _, outcome in found)
    alive = dict(each for each in found if each[1] not in KILLED | UNDECIDED)
    survivors = {
        Mutant(function_of(name), *changed(diff)): f"{name}: {alive[name]}"
        for name, diff in diffs(here, list(alive)).items()
    }
    known = kept(KEPT.read_text())
    new = survivors.keys() - known.keys()
    stale = {each for each in known if each.function.startswith(folder)} - survivors.keys() if not undecided else set()
    for mutant in sorted(new):
        print(f"survived: {mutant}\n  ({survivors[mutant]})")
    for mutant in sorted(stale):
        print(f"kept, and no survivor any more: {mutant}")
    killed = sum(outcome in KILLED for _, outcome in found)
    if undecided == len(found):
        print(f"nothing was checked; {here / 'mutmut.log'} says why")
    print(
        f"{folder}: {len(found)} mutants, {killed} killed, {len(survivors.keys() & known.keys())} kept, "
        f"{len(new)} to kill or to give a reason, {undecided} not checked in the time"
    )
    return bool(found) and not new and not stale


def main() -> int:
    configuration = project()
    folders = pure_folders(configuration)
    parser = argparse.ArgumentParser(prog="python -m mutation", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", choices=folders, metavar="FOLDER", help=", ".join(folders))
    parser.add_argument("--minutes", type=float, default=10, help="the longest a folder may take")
    parser.add_argument("--at-once", type=int, default=1)
    chosen = parser.parse_args()
    good = True
    for folder in [chosen.folder] if chosen.folder else folders:
        tests = test_files(folder, ROOT / "tests")
        if not tests:
            print(f"{folder}: no unit test names it")
            good = False
            continue
        here = prepare(folder, tests, configuration)
        run(here, chosen.minutes, chosen.at_once)
        good &= report(folder, outcomes(here), here)
    return not good


if __name__ == "__main__":
    sys.exit(main())
