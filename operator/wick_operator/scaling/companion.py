"""The autoscaler as the operator runs it, in its leader."""

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Protocol

from msgspec import structs

from wick_api.fault import Faults
from wick_api.function import Metadata
from wick_api.names import Key
from wick_kube.cluster import Cluster
from wick_operator.autoscaling import exporter
from wick_operator.autoscaling.loop import Autoscaler, Settings
from wick_operator.scaling.cold_starts import ColdStarts
from wick_operator.scaling.cold_starts import Writer as Patches
from wick_operator.scaling.platform import Platform, View
from wick_operator.scaling.platform import Writer as Scales
from wick_operator.scaling.report import Eventful, Report
from wick_operator.scaling.report import Writer as Reports
from wick_operator.scaling.rivals import Rivals
from wick_operator.scaling.routers import Routers
from wick_operator.scaling.secret import Secrets


class Fence(Scales, Reports, Patches, Protocol):
    """Every write the autoscaler makes."""


class Scaling:
    """`run` it while leading; `poke` and `metrics` any time."""

    def __init__(  # noqa: PLR0913 - one of each thing it is wired to
        self,
        cluster: Cluster,
        *,
        view: View,
        fence: Fence,
        routers: Routers,
        rivals: Rivals,
        event: Eventful,
        instances: Callable[[Key], Iterable[str]],
        settings: Settings = Settings(),  # noqa: B008 - frozen
        faults: Faults | None = None,
    ) -> None:
        sources = structs.replace(settings.sources, secrets=Secrets(cluster, time.monotonic))
        self._routers, self._rivals = routers, rivals
        self._faults = faults = faults or Faults()
        self._report = Report(fence, event, time.monotonic, view.version, faults)
        self._cold_starts = ColdStarts(routers.targets, fence, _metadata(view), lambda: datetime.now(UTC), faults)
        platform = Platform(view, fence, instances, rivals.of)
        rivals.watch(platform.touch)
        self._autoscaler = Autoscaler(
            platform,
            self._routers.targets,
            time.monotonic,
            structs.replace(settings, sources=sources),
            wall=lambda: datetime.now(UTC),
            listener=self._report.decided,
            faults=faults,
        )

    async def run(self) -> None:
        """Scale until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._routers.run(), name="routers")
            for mirror in self._rivals.mirrors:
                tasks.create_task(mirror.run(), name="rivals")
            tasks.create_task(self._report.run(), name="report")
            tasks.create_task(self._cold_starts.run(), name="cold starts")
            tasks.create_task(self._autoscaler.run(), name="autoscaler")

    def poke(self, keys: Iterable[Key]) -> None:
        """Look at these functions' demand at once."""
        self._autoscaler.poke(keys)

    def metrics(self) -> bytes:
        """The autoscaler's series."""
        return "".join(f"{line}\n" for line in exporter.lines(self._autoscaler.tracks, self._faults)).encode()


def _metadata(view: View) -> Callable[[Key], Metadata | None]:
    def known(key: Key) -> Metadata | None:
        entry = view.functions.get(key)
        return entry.function.metadata if entry else None

    return known
