"""Runs a start once, with a function of our own, in the process that waits for its order; and puts everything back.

That process shares its memory with the supervisor, and a page is copied when it is first written to: in Python by
reading too, because that counts references. The steps from an order to an answer write to 430 pages, which took 5 to
7 us each on a virtual machine and were two thirds of an import's 3 ms. A rehearsal costs each waiting instance 3 MB.
"""

import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from wick_runtime.call.frame import pack_call
from wick_runtime.config import FunctionTarget, RequestLimits
from wick_runtime.ipc.channel import pair

FOLDER: Final = os.path.dirname(__file__)  # noqa: PTH120 - pathlib costs 5 ms to import
MODULE: Final = "warmup_handler"
SOURCE: Final = "import os\n\n\ndef handle(request):\n    return os.environ['NAME']\n"
"""To be compiled, as a function's code always is: that of `MODULE` may lie there compiled."""


def rehearse(play: Callable[[dict[str, Any], socket.socket], None]) -> None:
    """`play` takes an order to load, and the socket by which the function is called once."""
    target = FunctionTarget(code=FOLDER, handler=f"{MODULE}:handle")
    order = {"target": target._asdict(), "limits": RequestLimits()._asdict(), "env": {"NAME": ""}}
    ours, theirs = pair()
    with ours, theirs, _put_back():
        ours.sendall(pack_call("GET", b"/", [(b"host", b"")], b"", time.monotonic() + 1, 1, False, b"", True))  # noqa: FBT003 - the fields of a frame
        ours.shutdown(socket.SHUT_WR)
        compile(SOURCE, MODULE, "exec")
        play(order, theirs)


@contextmanager
def _put_back() -> Iterator[None]:
    """Afterwards the process is what it was: all that loading and serving change in it."""
    environ, modules = dict(os.environ), set(sys.modules)
    path, finders, streams = sys.path[:], sys.meta_path[:], (sys.stdout, sys.stderr)
    handlers, level = logging.root.handlers[:], logging.root.level
    interrupt = signal.getsignal(signal.SIGUSR1)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, interrupt)
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
        sys.path[:], sys.meta_path[:], (sys.stdout, sys.stderr) = path, finders, streams
        for name in sys.modules.keys() - modules:
            del sys.modules[name]
        for name in os.environ.keys() - environ.keys():
            del os.environ[name]
        os.environ.update(environ)
