"""``python -m wick_runtime``: run one instance."""

import os
import sys

from wick_runtime.config import Invalid, read


def main() -> int:
    """Exit code 2 for a configuration that cannot be used, after one line that names it."""
    try:
        config = read(os.environ)
        from wick_runtime.supervisor import main as supervise  # noqa: PLC0415 - a bad setting is told at once

        return supervise(config)
    except Invalid as problem:
        sys.stderr.write(f"{problem}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
