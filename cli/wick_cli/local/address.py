"""Where a running ``wick up`` can be found by the other commands of the same user."""

import os
import tempfile
from pathlib import Path


def socket_file(port: int) -> Path:
    """Control socket of the ``wick up`` that listens on `port`, in a folder private to the user."""
    return Path(tempfile.gettempdir()) / f"kubewick-{os.getuid()}" / f"{port}.sock"
