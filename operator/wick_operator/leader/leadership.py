"""Getting, keeping and giving back the Lease; `wick_operator.leader.decisions.lease` decides, this acts."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from wick_api import names
from wick_kube.cluster import Cluster
from wick_kube.error import ApiConflict, ApiError, ApiNotFound, ApiUnreachable
from wick_kube.resource import LEASES
from wick_operator.config import OperatorConfig
from wick_operator.leader.decisions import lease
from wick_operator.leader.decisions.lease import Move, Record

log = logging.getLogger(__name__)


class LeadershipLost(Exception):
    """The Lease could not be renewed in time: somebody else may lead, so this process must end at once."""


class Leadership:
    """This replica's part in the election. `clock` is monotonic seconds, `today` RFC 3339 with microseconds."""

    def __init__(
        self, cluster: Cluster, config: OperatorConfig, clock: Callable[[], float], today: Callable[[], str]
    ) -> None:
        self._cluster, self._config, self._clock, self._today = cluster, config, clock, today
        self._record, self._since = Record(), clock()
        self._renewed: float | None = None
        self._name = f"{config.release}-operator"

    @property
    def leading(self) -> bool:
        return self.remaining() > 0

    def remaining(self) -> float:
        """Seconds for which writes are surely still ours; 0 for a follower."""
        if self._renewed is None:
            return 0.0
        return max(0.0, self._renewed + self._config.lease_deadline - self._clock())

    async def acquire(self) -> None:
        """Return once this replica leads."""
        while not await self._try():  # noqa: ASYNC110 - the API server is asked; no event tells
            await asyncio.sleep(self._config.lease_retry)
        log.info("leading as %s", self._config.identity)

    async def keep(self) -> None:
        """Renew until cancelled; `LeadershipLost` when that failed for too long."""
        while self.remaining() > 0:
            await asyncio.sleep(min(self._config.lease_retry, self.remaining()))
            await self._try()
        raise LeadershipLost("the Lease was not renewed in time")

    async def release(self) -> None:
        """Give the Lease back, if it is ours, so that another replica leads at once."""
        if not self.leading:
            return
        self._renewed = None
        patch = [
            {"op": "test", "path": "/spec/holderIdentity", "value": self._config.identity},
            {"op": "replace", "path": "/spec/holderIdentity", "value": ""},
        ]
        try:
            await self._cluster.patch(LEASES, self._config.namespace, self._name, patch, field_manager=names.OPERATOR)
        except (ApiError, ApiUnreachable) as error:
            log.warning("the Lease was not given back, the next leader waits for its end: %s", error)

    async def _try(self) -> bool:
        """One look at the Lease and what follows from it; whether this replica leads now."""
        began = self._clock()
        try:
            async with asyncio.timeout(self._patience()):
                record = await self._read()
                if record != self._record:
                    self._record, self._since = record, began
                step = lease.move(record, self._config.identity, began - self._since)
                if step is Move.WAIT:
                    self._renewed = None
                    return False
                await self._write(record)
        except ApiConflict:
            return False  # somebody was faster; the next look tells who
        except (ApiError, ApiUnreachable, TimeoutError) as error:
            log.warning("the Lease is out of reach: %s", error or "timeout")
            return False
        self._renewed = began
        return True

    def _patience(self) -> float:
        return min(self._config.request_timeout, self.remaining() or self._config.request_timeout)

    async def _read(self) -> Record:
        try:
            return lease.read(await self._cluster.get(LEASES, self._config.namespace, self._name))
        except ApiNotFound:
            return Record()

    async def _write(self, record: Record) -> None:
        spec = lease.written(record, self._config.identity, self._config.lease_duration, self._today())
        if not record.version:
            whole = lease.manifest(self._config.namespace, self._name, spec)
            answer: dict[str, Any] = await self._cluster.create(whole, field_manager=names.OPERATOR)
        else:
            change = {"metadata": {"resourceVersion": record.version}, "spec": spec}
            answer = await self._cluster.patch(
                LEASES, self._config.namespace, self._name, change, field_manager=names.OPERATOR
            )
        self._record, self._since = lease.read(answer), self._clock()
