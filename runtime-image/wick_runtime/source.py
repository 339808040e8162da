"""The function's files, on their way from what the instance was told to the folder they are imported from."""

import os
from collections.abc import Mapping
from typing import Final

REMEDY: Final = (
    "build the image from Kubewick's of this version, which declares /tmp and /function as volumes, or, where the "
    "container runtime does not make those writable, set functions.imageVolumes to false in Kubewick's chart"
)
"""What to do where `unpack` fails; for the operator of the cluster, since it is no fault of the code."""


def unpack(files: Mapping[str, str], code: str) -> None:
    """Write the files, by their paths below the folder `code`; raises `OSError`."""
    for path, text in files.items():
        full = os.path.join(code, path)  # noqa: PTH118 - pathlib costs 5 ms to import
        os.makedirs(os.path.dirname(full), exist_ok=True)  # noqa: PTH103, PTH120 - as above
        with open(full, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123 - as above
            file.write(text)
