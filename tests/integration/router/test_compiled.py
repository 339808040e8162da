"""The router compiled, as its image has it: `make integration-compiled` runs all of this folder that way."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
COMPILE = PROJECT / "router" / "compile.py"
PACKAGES = [PROJECT / "api" / "wick_api", PROJECT / "api" / "wick_kube", PROJECT / "router" / "wick_router"]
WHICH = "from wick_router.router import FORM; print(FORM)"


def run(*command, **environment):
    settings = {**os.environ, **environment}
    done = subprocess.run(
        [sys.executable, *command], env=settings, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.mark.timeout(300)
def test_the_compiled_router_serves_as_the_source_does(tmp_path):
    told = run(COMPILE, tmp_path / "packages", *PACKAGES, MYPYC_OPT_LEVEL="0").stderr
    if "WARNING" in told:
        pytest.skip(told)
    path = str(tmp_path / "packages")
    assert run("-c", WHICH, PYTHONPATH=path).stdout == "compiled\n"
    run("-m", "pytest", "-q", str(Path(__file__).with_name("test_exchange.py")), PYTHONPATH=path)


def test_without_a_compiler_the_router_is_interpreted_and_says_so(tmp_path):
    told = run(COMPILE, tmp_path / "packages", *PACKAGES, PATH="/nowhere").stderr
    assert told.startswith("WARNING: there is no ")
    assert run("-c", WHICH, PYTHONPATH=str(tmp_path / "packages")).stdout == "interpreted\n"
