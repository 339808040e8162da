"""The work queue: workers that reconcile keys as `wick_operator.leader.decisions.work_schedule` lets them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from wick_api.names import Key
from wick_kube.error import ApiError, ApiUnreachable
from wick_operator import metrics
from wick_operator.leader.decisions.work_schedule import BackoffLimits, WorkSchedule

log = logging.getLogger(__name__)


class Again(Exception):
    """The work is not done for the reason in the message; it is tried again after a back-off."""


class WorkQueue:
    """Calls `work` for each key that somebody wished work for; in one event loop."""

    def __init__(
        self, work: Callable[[Key], Awaitable[float | None]], limits: BackoffLimits, clock: Callable[[], float]
    ) -> None:
        """`work` answers in how many seconds to look again, None for not before something happens."""
        self._work, self._clock = work, clock
        self._schedule: WorkSchedule[Key] = WorkSchedule(limits, clock())
        self._woken = asyncio.Event()
        self._closed = False

    def enqueue(self, key: Key, delay: float = 0.0) -> None:
        """The key wants work, no sooner than in `delay` seconds."""
        self._schedule.enqueue(key, self._clock() + delay)
        self._woken.set()

    def __len__(self) -> int:
        return len(self._schedule)

    @property
    def idle(self) -> bool:
        """Nothing is being worked on and nothing is due."""
        return not self._schedule.taken and self.late() == 0

    def late(self) -> float:
        """Seconds for which the longest waiting key has been due."""
        return self._schedule.waiting_since(self._clock())

    def close(self) -> None:
        """Begin nothing more; `run` returns once what is being worked on is done."""
        self._closed = True
        self._woken.set()

    async def run(self, workers: int) -> None:
        """Work until closed or cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(workers):
                group.create_task(self._worker(), name=f"reconcile {number}")

    async def _worker(self) -> None:
        while not self._closed:
            key = self._schedule.take(self._clock())
            if key is None:
                await self._wait()
                continue
            metrics.QUEUE_DEPTH.set(len(self._schedule))
            failed, again = True, None
            log.debug("reconcile begins", extra={"function": str(key)})
            try:
                with metrics.RECONCILE_SECONDS.time():
                    again = await self._work(key)
                failed = False
            except (Again, ApiError, ApiUnreachable, TimeoutError) as error:
                metrics.RECONCILE_ERRORS.labels(reason=getattr(error, "reason", "") or type(error).__name__).inc()
                log.warning("reconcile: %s", str(error) or type(error).__name__, extra={"function": str(key)})
            except Exception:  # a defect that one function brings out must not stop all the others
                metrics.RECONCILE_ERRORS.labels(reason="Defect").inc()
                log.exception("reconcile failed by a defect", extra={"function": str(key)})
            finally:
                self._schedule.finish(key, self._clock(), failed=failed)
                self._woken.set()
            if again is not None:
                self.enqueue(key, again)

    async def _wait(self) -> None:
        """Until something may be due."""
        if self._closed:
            return
        self._woken.clear()
        now = self._clock()
        due = self._schedule.next(now)
        try:
            async with asyncio.timeout(None if due is None else max(0.0, due - now)):
                await self._woken.wait()
        except TimeoutError:
            return
