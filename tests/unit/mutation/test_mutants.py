"""What `make mutants` runs over, and how it tells one mutant from another."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def mutation():
    spec = importlib.util.spec_from_file_location("mutation_main", ROOT / "tests" / "mutation" / "__main__.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_folder_that_a_contract_calls_pure_is_mutated_and_has_unit_tests(mutation):
    configuration = mutation.project()
    folders = mutation.pure_folders(configuration)
    pure = {
        module
        for contract in configuration["tool"]["importlinter"]["contracts"]
        if "pure" in contract["name"]
        for module in contract["source_modules"]
    }
    assert pure
    assert pure <= set(folders)
    assert [folder for folder in folders if not mutation.test_files(folder, ROOT / "tests")] == []


def test_every_survivor_that_is_kept_has_a_reason_and_lies_in_a_pure_folder(mutation):
    folders = tuple(mutation.pure_folders(mutation.project()))
    for mutant, reason in mutation.kept(mutation.KEPT.read_text()).items():
        assert mutant.function.startswith(folders)
        assert len(reason.split()) > 3


def test_a_mutant_is_named_by_what_it_changes(mutation):
    diff = "--- a.py\n+++ a.py\n@@ -1,3 +1,3 @@\n def f(a):\n-    if a > 1:\n+    if a >= 1:\n         return 1\n"
    assert mutation.changed(diff) == ("if a > 1:", "if a >= 1:")
    assert mutation.function_of("a.b.xǁKindǁ_method__mutmut_12") == "a.b.Kind._method"
    assert mutation.function_of("a.b.x__private__mutmut_1") == "a.b._private"
