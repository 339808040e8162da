"""Compile the router's warm path to C with mypyc, in place: ``compile.py FOLDER`` (which holds wick_api, wick_router).

    wick_router/exchange.py --mypyc--> C --cc--> wick_router/exchange.<abi>.so   (and wick_router__mypyc.<abi>.so)

The same source runs both ways: Python takes the ``.so`` beside a ``.py`` when it fits the interpreter, else the source.
So nothing breaks where there is no compiler; a request then costs three times as much of our own code.
Needs the packages of the dependency group ``compile``, a C compiler and Python's headers.
"""

import os
import shutil
import sys
from pathlib import Path

WARM = (
    "client", "demand", "dispatch", "endpoint", "exchange", "heads", "histogram", "instance", "intake", "lane",
    "refusal", "routing",
)  # fmt: skip
"""Modules of `wick_router` that a warm request runs through."""


def main(folder: Path) -> None:
    """Compile; ends with the compiler's status when that fails."""
    from mypyc.build import mypycify  # noqa: PLC0415 - what it needs is said first, and imports setuptools
    from setuptools import setup  # noqa: PLC0415

    os.chdir(folder)
    checks = ("--strict", "--ignore-missing-imports", "--explicit-package-bases", "--python-executable", sys.executable)
    extensions = mypycify(
        [*checks, *(f"wick_router/{name}.py" for name in WARM)], group_name="wick_router", debug_level="0"
    )
    setup(name="wick_router", packages=[], ext_modules=extensions, script_args=["--quiet", "build_ext", "--inplace"])
    shutil.rmtree("build")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
