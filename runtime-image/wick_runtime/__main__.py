"""``python -m wick_runtime``: run one instance."""

import os
import signal
import sys
from types import FrameType


def _leave(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)


# The kernel drops signals that PID 1 does not handle: without this, a pod deleted while its interpreter starts (each
# ReplicaSet that adopts a warm pod makes one) would stay for its whole grace period. The supervisor takes over later.
signal.signal(signal.SIGTERM, _leave)

from wick_runtime.config import Invalid, read  # noqa: E402 - the handler comes before anything that takes time


def main() -> int:
    """Exit code 2 for a configuration that cannot be used, after one line that names it."""
    # PID 1 of a container never sees a signal it has no handler for, so a pod deleted while its runtime was still
    # importing would sit out its whole grace period.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    try:
        config = read(os.environ)
        from wick_runtime.supervisor import main as supervise  # noqa: PLC0415 - a bad setting is told at once

        return supervise(config)
    except Invalid as problem:
        sys.stderr.write(f"{problem}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
