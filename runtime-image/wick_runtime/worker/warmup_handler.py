"""The function that `rehearsal` loads, as a top-level module out of this folder."""

import os
from typing import Any


def handle(request: Any) -> str:
    return f"{request.method} {os.environ['NAME']}"
