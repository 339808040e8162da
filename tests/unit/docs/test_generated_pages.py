"""The generated pages of the reference."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def pages():
    """In a process of its own: what other tests did to the commands shows in their help."""
    made = subprocess.run([sys.executable, DOCS / "generate.py", "--print"], capture_output=True, text=True, check=True)
    return {DOCS / path: text for path, text in json.loads(made.stdout).items()}


def test_the_reference_is_what_its_sources_make_it(pages):
    stale = [path.name for path, text in pages.items() if not path.exists() or path.read_text() != text]
    assert not stale, "run `make docs` and commit what it writes"


def test_every_metric_and_every_error_code_says_what_it_means(pages):
    rows = [
        line.strip("| ").split(" | ")
        for path, text in pages.items()
        if path.name in {"metrics.md", "errors.md"}
        for line in text.splitlines()
        if line.startswith("| `")
    ]
    assert len(rows) > 60
    assert [row for row in rows if len(row) < 2 or not row[-1].strip()] == []
