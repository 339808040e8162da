"""Tells the cluster of pods that serve already, off every request's path: their claims, then Deployments 0 -> 1.

```
   serves --AFTER--> in line --no slow start for QUIET, or LONGEST_HOLD is over--> claim, [0 -> 1]
                        ^                                                              |
                        +----------------------- PACE, then the next ------------------+
```

Each claim makes a new warm pod. On a small node those would come up before the pods that requests wait for. So while
functions start slowly, by their Deployments or in dormant pods, claims wait; then they are written one after the other,
because a function that starts meanwhile should share the node with one refill and not with ten. The claim of a pod
whose code does not load is written at once: no request waits for it, and the Function's status tells from it why. All
of it ends before the operator's audit gives an unclaimed pod up.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from msgspec import Struct

from wick_api.names import Key
from wick_router.kubernetes.decisions.outcome import CodeBroken, WarmStarted
from wick_router.kubernetes.warm_start import WarmStarts

log = logging.getLogger(__name__)

AFTER = 0.1
"""Seconds that a pod serves before its claim is written. The write wakes the API server, etcd, the scheduler, four
controllers, the kubelet and the operator, which would compete with the function for the node's CPU over its first
answer."""
QUIET = 1.0
"""Seconds after a slow start in which claims go on waiting: the next one of a row may be another router's, and is heard
of when its Deployment has made a pod."""
LONGEST_HOLD = 6.0
"""Seconds that claims wait for slow starts; with `SPREAD` below the 8 s in which the operator's audit gives an
unclaimed pod up."""
PACE = 0.3
"""Seconds between two claims."""
SPREAD = 1.5
"""Seconds in which all claims that are in line are written, however many: they come closer than `PACE` then."""
MOST_IN_LINE = 1000
"""Claims in line; of more, each is written at once."""
PARTING = 2.0
"""Seconds that a router which ends takes to write the claims it still owes."""


def pause(in_line: int) -> float:
    """Seconds until the next of so many claims."""
    return min(PACE, SPREAD / max(in_line, 1))


class PendingClaim(Struct, frozen=True):
    """A claim to be written."""

    key: Key
    taken: WarmStarted | CodeBroken
    since: float
    """When the pod had its function, in the loop's time."""


class ClaimWriter:
    """See the module; `scale` takes a function from 0 to 1, `lost` is told of a pod that went before its claim,
    `fault` of a defect."""

    def __init__(
        self,
        claims: WarmStarts,
        scale: Callable[[Key], Awaitable[None]],
        lost: Callable[[Key, WarmStarted], None],
        fault: Callable[[str, Key, Exception], object],
    ) -> None:
        self._claims, self._scale, self._lost, self._fault = claims, scale, lost, fault
        self._loop = asyncio.get_running_loop()
        self._line: asyncio.Queue[PendingClaim] = asyncio.Queue(MOST_IN_LINE)
        self._next: PendingClaim | None = None
        self._writing: set[asyncio.Task[None]] = set()
        self._awaited: set[Key] = set()
        """Functions that requests wait for while a pod of theirs starts or wakes."""
        self._quiet_from = 0.0
        """When the last of them will have served for `QUIET`, in the loop's time."""
        self._calm = asyncio.Event()
        self._calm.set()
        self._task = asyncio.create_task(self._work(), name="registrations")

    def add(self, key: Key, taken: WarmStarted | CodeBroken) -> None:
        """A pod has its function."""
        owed = PendingClaim(key, taken, self._loop.time())
        if isinstance(taken, CodeBroken) or self._line.full():
            self._write(owed)
        else:
            self._line.put_nowait(owed)

    def awaits(self, key: Key) -> None:
        """Requests wait for this function, and not just for milliseconds."""
        self._awaited.add(key)
        self._calm.clear()
        self._loop.call_later(LONGEST_HOLD, self.serves, key)

    def serves(self, key: Key) -> None:
        """The function has an instance, or is gone, or had its time."""
        if key in self._awaited:
            self._awaited.remove(key)
            self._quiet_from = self._loop.time() + QUIET
        if not self._awaited:
            self._calm.set()

    async def close(self) -> None:
        """Write what is owed, as far as that takes no more than `PARTING`."""
        self._task.cancel()
        if self._next is not None:
            self._write(self._next)
        while not self._line.empty():
            self._write(self._line.get_nowait())
        if self._writing:
            _, late = await asyncio.wait(self._writing, timeout=PARTING)
            for task in late:
                task.cancel()
        await asyncio.gather(self._task, *self._writing, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            self._next = owed = await self._line.get()
            try:
                async with asyncio.timeout_at(owed.since + LONGEST_HOLD):
                    await self._quiet(owed)
            except TimeoutError:
                log.debug("%s: slow starts go on; its claim is written beside them", owed.key)
            self._next = None
            self._write(owed)
            await asyncio.sleep(pause(self._line.qsize()))

    async def _quiet(self, owed: PendingClaim) -> None:
        """Until no slow start goes on, and none ended just now: of several in a row the next is about to begin."""
        while (rest := max(owed.since + AFTER, self._quiet_from) - self._loop.time()) > 0 or self._awaited:
            await (asyncio.sleep(rest) if rest > 0 else self._calm.wait())

    def _write(self, owed: PendingClaim) -> None:
        task = asyncio.create_task(self._register(owed), name=f"register {owed.key}")
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _register(self, owed: PendingClaim) -> None:
        try:
            await self._claim(owed)
        except Exception as error:  # noqa: BLE001 - a border: the next claim is written whatever this one met
            self._fault("claim of a warm pod", owed.key, error)

    async def _claim(self, owed: PendingClaim) -> None:
        registered = await self._claims.register(owed.taken)
        if isinstance(owed.taken, CodeBroken):
            return
        if registered:
            await self._scale(owed.key)
        else:
            self._lost(owed.key, owed.taken)
