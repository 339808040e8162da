"""The real operator, which a test can make stuck: SIGUSR1 blocks the main loop, SIGUSR2 that of kopf's thread.

Each blocks as code that never returns to its loop would, until the file named by the first argument exists. The product
has no such switch; all else is `wick_operator` as it is.
"""

import signal
import sys
import time
from pathlib import Path

from wick_operator.__main__ import main
from wick_operator.cache.kopf_informer import Informer


class Stoppable(Informer):
    """Blocks its loop when told by a signal."""

    async def _operate(self):
        signalled.append(self)
        await super()._operate()


def block():
    while not GO_ON.exists():
        time.sleep(0.05)


if __name__ == "__main__":
    GO_ON, signalled = Path(sys.argv[1]), []
    sys.modules["wick_operator.app"].Informer = Stoppable
    signal.signal(signal.SIGUSR1, lambda *_: block())
    signal.signal(signal.SIGUSR2, lambda *_: signalled[0]._loop.call_soon_threadsafe(block))
    sys.exit(main())
