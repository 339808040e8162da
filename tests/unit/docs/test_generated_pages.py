"""The generated pages of the reference."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def pages():
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages()


def test_the_reference_is_what_its_sources_make_it(pages):
    stale = [path.name for path, text in pages.items() if not path.exists() or path.read_text() != text]
    assert not stale, "run `make docs` and commit what it writes"


def test_every_metric_and_every_error_code_says_what_it_means(pages):
    empty = {
        line
        for path, text in pages.items()
        if path.name in {"metrics.md", "errors.md"}
        for line in text.splitlines()
        if line.startswith("| `") and line.rstrip(" |").count("|") < (3 if path.name == "metrics.md" else 2)
    }
    assert not empty
