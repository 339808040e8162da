"""The autoscaler as the operator runs it, in its leader."""

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from msgspec import structs

from wick_api.fault import Faults
from wick_api.function import FunctionMetadata
from wick_api.names import Key
from wick_autoscaler.decisions import exporter
from wick_autoscaler.loop import Autoscaler, AutoscalerSettings
from wick_kube.cluster import Cluster
from wick_operator.autoscaler.cold_starts import ColdStarts
from wick_operator.autoscaler.hpa import CompetingHpas
from wick_operator.autoscaler.kubernetes_scaler import KubernetesScaler, View
from wick_operator.autoscaler.report import Eventful, Report
from wick_operator.autoscaler.routers import Routers
from wick_operator.autoscaler.secret import SecretReader
from wick_operator.leader.fenced_writer import FencedWriter


class AutoscalerController:
    """`run` it while leading; `poke` and `metrics` any time."""

    def __init__(  # noqa: PLR0913 - one of each thing it is wired to
        self,
        cluster: Cluster,
        *,
        view: View,
        fence: FencedWriter,
        routers: Routers,
        rivals: CompetingHpas,
        event: Eventful,
        instances: Callable[[Key], Iterable[str]],
        settings: AutoscalerSettings = AutoscalerSettings(),  # noqa: B008 - frozen
        faults: Faults | None = None,
    ) -> None:
        sources = structs.replace(settings.sources, secrets=SecretReader(cluster, time.monotonic))
        self._routers, self._rivals = routers, rivals
        self._faults = faults = faults or Faults()
        self._report = Report(fence, event, time.monotonic, view.version, faults)
        self._cold_starts = ColdStarts(routers.targets, fence, _metadata(view), lambda: datetime.now(UTC), faults)
        platform = KubernetesScaler(view, fence, instances, rivals.of)
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


def _metadata(view: View) -> Callable[[Key], FunctionMetadata | None]:
    def known(key: Key) -> FunctionMetadata | None:
        entry = view.functions.get(key)
        return entry.function.metadata if entry else None

    return known
