"""One word means one thing."""

import sys
from pathlib import Path

PROJECT = Path(__file__).parents[3]
sys.path.append(str(PROJECT / "docs"))
import structure  # noqa: E402 - a program beside the documentation, not a package

SHARED = {
    "Callbacks": "of a parser: the runtime imports nothing of Kubewick, so it has its own",
    "Remainder": "of a parser, likewise",
}
"""Names that may stand twice, with the reason."""


def test_a_public_class_name_stands_once():
    repeated = {name: where for name, where in structure.classes(PROJECT).items() if len(where) > 1}
    assert repeated.keys() == SHARED.keys()
    assert all(any(module.startswith("wick_runtime.") for module in where) for where in repeated.values())


def test_no_folder_needs_two_screens():
    assert structure.counted(PROJECT)["folders of more than 20 files"] == {}


def test_a_circle_is_found_with_all_its_modules_and_nothing_else():
    imports = {"a": {"b"}, "b": {"c", "e"}, "c": {"a", "d"}, "d": set(), "e": {"f"}, "f": {"e"}, "g": {"g"}}
    assert sorted(structure.circles(imports)) == [["a", "b", "c"], ["e", "f"]]
