"""Compile the router's warm path to C with mypyc: ``compile.py FOLDER [PACKAGE...]``.

    proxy/exchange.py --mypyc--> C --cc--> proxy/exchange.<abi>.so   (and wick_router__mypyc.<abi>.so)

FOLDER holds wick_api and wick_router, or is made anew from the PACKAGEs named. It is then a folder for the Python path.
The same source runs both ways: Python takes the ``.so`` beside a ``.py`` when it fits the interpreter, else the source.
So nothing breaks where there is no compiler; a request then costs three times as much of our own code.

Needs the packages of the dependency group ``compile``, a C compiler and Python's headers. Where one of the latter two
is missing it says so, leaves the packages as they are and ends well; that is the one place where this is decided.
``MYPYC_OPT_LEVEL`` is the C compiler's, 3 unless told; 0 takes half the time, for tests.
"""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

WARM = (
    "dispatch/action", "dispatch/balancer", "dispatch/demand", "dispatch/dispatcher",
    "http/head_cache", "http/heads", "http/histogram", "http/refusal", "http/response_framing",
    "proxy/client_connection", "proxy/corked_writer", "proxy/data_plane", "proxy/endpoint", "proxy/exchange",
    "proxy/instance_connection", "proxy/request_head", "proxy/upstream",
)  # fmt: skip
"""Modules of `wick_router` that a warm request runs through."""
SHARED = ("wick_api/routing.py",)
"""And those of the contract."""
SCRATCH = "build"
"""Folder for what the compilers write on the way; setuptools gives the name."""


def lacking() -> str:
    """What is missing for compiling, in words; empty when all is there."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        return f"there is no {compiler}"
    header = Path(sysconfig.get_path("include"), "Python.h")
    return "" if header.exists() else f"there is no {header}"


def copy(packages: list[Path], folder: Path) -> None:
    """Make the folder anew from these packages."""
    shutil.rmtree(folder, ignore_errors=True)
    for package in packages:
        shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))


def compile_warm(folder: Path) -> None:
    """Compile in place; ends the program with the compiler's status when that fails."""
    from mypyc.build import mypycify  # noqa: PLC0415 - where nothing can be compiled they need not be there
    from setuptools import setup  # noqa: PLC0415

    os.chdir(folder)
    options = ("--strict", "--ignore-missing-imports", "--explicit-package-bases", f"--cache-dir={SCRATCH}/mypy")
    extensions = mypycify(
        [*options, *SHARED, *(f"wick_router/{name}.py" for name in WARM)],
        group_name="wick_router",
        opt_level=os.environ.get("MYPYC_OPT_LEVEL", "3"),
        debug_level="0",
    )
    setup(name="wick_router", packages=[], ext_modules=extensions, script_args=["--quiet", "build_ext", "--inplace"])
    shutil.rmtree(SCRATCH)


def main(folder: Path, packages: list[Path]) -> None:
    """See the module."""
    if packages:
        copy(packages, folder)
    if why := lacking():
        sys.stderr.write(f"WARNING: {why}: this router is interpreted, its own code takes three times the CPU\n")
        return
    compile_warm(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
