"""What the page on security names as its proof is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_test_it_names_exists():
    page = (ROOT / "docs" / "security.md").read_text()
    named = set(re.findall(r"`([\w/]+\.py)`", page))
    tests = [path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(named) > 10
    assert [name for name in named if not any(path.endswith(f"/{name}") or path == name for path in tests)] == []
