"""The objects of this process, those among them that the function's code has frozen.

``gc.freeze()`` behind the imports is advice that Python's own documentation gives to whoever forks. It hides them from
`gc.get_objects`, and so from whoever looks for open files and random generators.
"""

import gc
from typing import Any


def tracked(frozen: int) -> list[Any]:
    """All that the garbage collector tracks, but for the `frozen` objects of the runtime's own.

    `frozen` is `gc.get_freeze_count` before the function's code ran: those are shared with the process that this one
    was forked from, and looking at them would copy their pages. Where more are frozen, all are looked at.
    """
    if gc.get_freeze_count() <= frozen:
        return gc.get_objects()
    gc.unfreeze()
    try:
        return gc.get_objects()
    finally:
        gc.freeze()
