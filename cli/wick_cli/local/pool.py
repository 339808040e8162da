"""Runtimes that wait, already running, so that a function's first request costs a fork and not an interpreter's start.

`size` of them are kept ready. Taking one makes room for the next, which is started after `BREATH` seconds unless
somebody waits, so that on a small machine the refill doesn't compete with the very request that caused it.
"""

import asyncio
import contextlib
import itertools
import logging
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from wick_cli.local import orphans, runtime
from wick_cli.local.guardian import children
from wick_cli.local.runtime import Runtime, Unstartable

log = logging.getLogger(__name__)

BREATH = 0.05  # s
STARTERS = 2
"""Runtimes that start at once: an interpreter's start is all CPU."""
RETRY_SECONDS = 1.0
SWEEP_ROUNDS, SWEEP_SECONDS = 50, 0.01
"""How often, and how far apart, what an instance left behind is looked for; a killed process needs a moment to end."""
OUTPUT_SECONDS = 1.0
"""For the last output of a runtime that has ended; a daemon that could not be ended may hold its pipe for ever."""


@dataclass(frozen=True)
class Nest:
    """What every runtime of one ``wick up`` shares."""

    folder: Path
    """Their files."""
    router: str
    """URL at which functions reach one another."""
    tell: Callable[[str], None]
    """The guardian's ear: ``+pid`` and ``-pid``."""


class Pool:
    """Runtimes without a function; owns each until it is taken."""

    def __init__(self, size: int, nest: Nest, session: aiohttp.ClientSession) -> None:
        self.nest, self._session = nest, session
        self._ready: asyncio.Queue[Runtime | Unstartable] = asyncio.Queue()
        self._room = asyncio.Semaphore(size)
        self._number = itertools.count(1)
        self._waiting = 0
        self._tasks: asyncio.TaskGroup | None = None
        self._own: set[int] = set()
        """Children of this process that no function left behind."""
        self._spawning = asyncio.Lock()
        """Held while a child may exist that `_own` does not know yet."""
        self.tried = asyncio.Event()
        """The first runtime is there, or could not be started."""

    async def take(self) -> Runtime:
        """One that waits for a function; the caller owns it now. `Unstartable` when none can be started."""
        self._waiting += 1
        try:
            while True:
                found = await self._ready.get()
                self._room.release()
                if isinstance(found, Unstartable):
                    raise found
                if found.process.returncode is None:
                    return found
        finally:
            self._waiting -= 1

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the pool full inside the block; at its end, end every process that is left."""
        orphans.become_subreaper()
        self._own |= children(os.getpid())
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            starters = [tasks.create_task(self._start_some(), name=f"pool starter {n}") for n in range(STARTERS)]
            try:
                yield
            finally:
                for starter in starters:
                    starter.cancel()
                while not self._ready.empty():
                    left = self._ready.get_nowait()
                    if isinstance(left, Runtime):
                        left.kill()

    async def _start_some(self) -> None:
        while True:
            await self._room.acquire()
            if not self._waiting:
                await asyncio.sleep(BREATH)
            try:
                self._ready.put_nowait(await self._start())
            except Unstartable as error:
                log.warning("%s", error)
                if self._waiting:
                    self._ready.put_nowait(error)
                else:  # nobody to tell; the next to come deserves a fresh try
                    self._room.release()
                self.tried.set()
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self.tried.set()

    async def _start(self) -> Runtime:
        if self._tasks is None:
            raise RuntimeError("the pool is not running")
        async with self._spawning:
            started = await runtime.start(self.nest.folder / str(next(self._number)))
            self._own.add(started.pid)
        self.nest.tell(f"+{started.pid}")
        self._tasks.create_task(self._follow(started), name=f"runtime {started.pid}")
        try:
            await started.wait_until_empty(self._session)
        except BaseException:
            started.kill()
            raise
        return started

    async def _follow(self, started: Runtime) -> None:
        """Read what it prints and reap it: every runtime has one such task for its whole life."""
        reading = asyncio.create_task(started.read_lines(), name=f"output of runtime {started.pid}")
        try:
            await started.process.wait()
            self._own.discard(started.pid)
            await self._sweep()
            await asyncio.wait({reading}, timeout=OUTPUT_SECONDS)
        finally:
            reading.cancel()
        self.nest.tell(f"-{started.pid}")

    async def _sweep(self) -> None:
        """End the daemons of a runtime that has ended; where that fails, the next one's end tries again."""
        async with self._spawning:
            try:
                for _ in range(SWEEP_ROUNDS):
                    if not (left := orphans.sweep(self._own)):
                        return
                    await asyncio.sleep(SWEEP_SECONDS)
            except OSError as error:
                log.warning("cannot look for processes that functions left behind: %s", error)
            else:
                log.warning("processes that a function left behind do not end: %s", sorted(left))
