"""PID 1: bind the ports, load the runtime once, fork the control process, and from then on only fork and reap.

::

    supervisor (PID 1; no loop, no thread; forks with everything preloaded)
      +-- control     control port, all decisions; serves the data port where no user code may be in the way
      +-- worker      imports the user's code (see `worker`)
            +-- handler processes, for synchronous functions

SIGTERM and SIGINT go to the control process as a message; when it ends, everything ends with its exit code.
"""

import gc
import importlib
import os
import sys
from typing import Any

from wick_runtime.config import RuntimeConfig
from wick_runtime.http.message.parser import choose
from wick_runtime.instance import control
from wick_runtime.ipc import port
from wick_runtime.ipc.channel import Channel, pair
from wick_runtime.ipc.last_words import LastWords
from wick_runtime.ipc.shared_table import SharedTable
from wick_runtime.worker import fork_safety, generators, worker
from wick_runtime.worker.code import Shared
from wick_runtime.worker.forker import Forker


def main(config: RuntimeConfig) -> int:
    """Run an instance to its end; the exit code."""
    listener = port.bind(config.host, config.port, "PORT")
    control_port = port.control(config)
    table, words = SharedTable(), LastWords()
    ours, theirs = pair()
    for name in config.preload:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - the module's own code, which may raise anything
            said = f"{type(error).__name__}: {error}"
            sys.stderr.write(f"KUBEWICK_PRELOAD: {name}: {said}; going on without it\n")
    shared = Shared(
        table,
        words,
        listener,
        config.parser,
        config.loop,
        config.patience,
        fork_safety.shared_mappings(),
        generators.find(0) if config.preload else generators.Generators(),
    )
    gc.disable()
    gc.freeze()
    pid = os.fork()
    if pid == 0:
        ours.close()
        os._exit(control.main(config, Channel(theirs), shared, control_port))
    theirs.close()
    for sock in control_port:
        sock.close()

    def start(order: dict[str, Any], fds: list[int]) -> int:
        return worker.main(order, fds, shared)

    forker = Forker(Channel(ours), start, signals=True)
    try:
        return forker.run(watched=pid)
    finally:
        forker.end()


def preload(config: RuntimeConfig) -> None:
    """Import the parser and the loop: every fork needs them."""
    choose(config.parser)
    if config.loop != "asyncio":
        try:
            importlib.import_module("uvloop")
        except ImportError:
            if config.loop:
                raise
