"""The router compiled, as its image has it: `make integration-compiled` runs all of this folder that way."""

import hashlib
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import pytest

from cluster import tools

PROJECT = Path(__file__).parents[3]
COMPILE = PROJECT / "router" / "compile.py"
PACKAGES = [PROJECT / "api" / "wick_api", PROJECT / "api" / "wick_kube", PROJECT / "router" / "wick_router"]
WHICH = "from wick_router.router import FORM; print(FORM)"


def run(*command, **environment):
    settings = {**os.environ, **environment}
    done = subprocess.run(
        [sys.executable, *command], env=settings, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def sources():
    """What is compiled, and by what."""
    files = sorted(file for package in PACKAGES for file in package.rglob("*.py"))
    read = [each for file in files for each in (str(file.relative_to(PROJECT)).encode(), file.read_bytes())]
    return [COMPILE.read_bytes(), sys.version.encode(), version("mypy").encode(), version("setuptools").encode(), *read]


@pytest.fixture
def compiled():
    """The packages compiled: once per machine and state of the sources, which takes half a minute."""
    digest = hashlib.sha256(b"\0".join(sources())).hexdigest()[:12]
    folder = tools.cache() / f"router-{sys.implementation.cache_tag}-{digest}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tools.locked(folder.with_suffix(".lock")):
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}-") as made:
                whole = Path(made) / "whole"
                told = run(COMPILE, whole, *PACKAGES, MYPYC_OPT_LEVEL="0").stderr
                if "WARNING" in told:
                    pytest.skip(told)
                whole.rename(folder)
    return str(folder)


def test_the_compiled_router_serves_as_the_source_does(compiled):
    assert run("-c", WHICH, PYTHONPATH=compiled).stdout == "compiled\n"
    run("-m", "pytest", "-q", str(Path(__file__).with_name("test_exchange.py")), PYTHONPATH=compiled)


def test_without_a_compiler_the_router_is_interpreted_and_says_so(tmp_path):
    told = run(COMPILE, tmp_path / "packages", *PACKAGES, PATH="/nowhere").stderr
    assert told.startswith("WARNING: there is no ")
    assert run("-c", WHICH, PYTHONPATH=str(tmp_path / "packages")).stdout == "interpreted\n"
