"""``python -m wick_runtime``: run one instance."""

import os
import signal
import sys
from types import FrameType


def _leave(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)


# The kernel drops signals that PID 1 does not handle: without this, a pod deleted while its interpreter starts (each
# ReplicaSet that adopts a warm pod makes one) would stay for its whole grace period. What came even earlier waits,
# since the image's entry point blocks it. The supervisor takes over later.
signal.signal(signal.SIGTERM, _leave)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

import gc  # noqa: E402 - the handler comes before anything that takes time
from importlib import import_module  # noqa: E402

from wick_runtime.config import DORMANT, SOURCE, WOKEN, RuntimeConfig, RuntimeSettingInvalid, read  # noqa: E402
from wick_runtime.run.deferred import deferred  # noqa: E402

WARM = (
    "dataclasses", "datetime", "hashlib", "inspect", "linecache", "logging", "ssl", "traceback",
    "urllib.parse",
    *(f"wick_runtime.forms.{name}" for name in ("asgi", "awslambda", "cloudevent_handlers", "wsgi")),
    "wick_runtime.run.records", "wick_runtime.worker.warmup",
)  # fmt: skip
"""What an instance of the pool has loaded before it knows its function: nobody waits for it then. For one that was
dormant somebody does."""


def main() -> int:
    """Exit code 2 for a configuration that cannot be used, after one line that names it."""
    gc.disable()  # until there is something to collect: imports make objects that stay
    try:
        config = read(os.environ)
        for name in [name for name in os.environ if name.startswith((SOURCE, DORMANT, WOKEN))]:
            del os.environ[name]  # up to 256 KiB that nobody needs once they are files; and what holds only until now
        if config.dormant:
            _sleep(config)
        return _supervise(config)
    except RuntimeSettingInvalid as problem:
        sys.stderr.write(f"{problem}\n")
        return 2


def _sleep(config: RuntimeConfig) -> None:
    """Become a dormant instance; does not return."""
    from wick_runtime.instance.dormant import fall_asleep  # noqa: PLC0415 - of no use to others
    from wick_runtime.ipc.port import bind  # noqa: PLC0415 - as above

    fall_asleep(bind(config.host, config.control_port, "KUBEWICK_CONTROL_PORT"))


def _supervise(config: RuntimeConfig) -> int:
    """Import the rest now: a bad setting is told at once."""
    for name in WARM if config.pool and config.woken is None else ():
        import_module(name)
    with deferred():
        supervisor = import_module("wick_runtime.instance.supervisor")
        supervisor.preload(config)
    code: int = supervisor.main(config)
    return code


if __name__ == "__main__":
    sys.exit(main())
