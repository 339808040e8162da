"""The local platform, put together: router, processes, autoscaler, reloading, control socket, screen.

::

    files --read--> Project --> Processes (pool, fleets) <--scale-- Autoscaler <--scrape-- Router /metrics
                                    ^        |                                               ^
                                 activate    instances                                       |
                                    +---- Router's data plane (port 8080) <---- curl --------+

All of it lives in one event loop, but for the router's admin API, which has a thread of its own, as in the cluster.
"""

import asyncio
import contextlib
import datetime as dt
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wick_api import names
from wick_api.names import Key
from wick_api.reason import Condition
from wick_autoscaler.decisions import explanation
from wick_autoscaler.loop import Autoscaler
from wick_cli.local import control, guardian, reload
from wick_cli.local.address import socket_file
from wick_cli.local.backend import LocalBackend
from wick_cli.local.decisions.readiness import FleetFailure, LocalObservation, LocalVerdict, readiness
from wick_cli.local.decisions.row import Row
from wick_cli.local.lines import Lines
from wick_cli.local.pool import Nest
from wick_cli.local.screen import Screen
from wick_cli.project import Project, read
from wick_router.admin.model import FunctionView, function_view
from wick_router.config import RouterConfig
from wick_router.proxy.tracing import Tracing
from wick_router.router import Router

REFRESH_SECONDS = 0.25
GRACE_SECONDS = 2.0
"""For requests in flight when the platform is stopped."""
ADMIN_SECONDS = 20.0
"""For the admin API to come up."""


@dataclass(frozen=True)
class LocalSettings:
    """What the options of ``wick up`` say."""

    paths: tuple[Path, ...]
    host: str = "127.0.0.1"
    port: int = 8080
    admin_port: int = names.ROUTER_ADMIN_PORT
    public_port: int = names.ROUTER_PUBLIC_PORT
    pool: int = 2
    """Runtimes kept ready."""
    reload: bool = True


class LocalSite:
    """One running ``wick up``."""

    def __init__(
        self, settings: LocalSettings, project: Project, screen: Screen, tracing: Tracing | None = None
    ) -> None:
        self._tracing = tracing
        self._settings, self._project, self._screen = settings, project, screen
        self._paths = list(settings.paths)
        self._forgotten: set[Key] = set()
        self._began = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        self._lines = Lines(screen.line)
        self._processes: LocalBackend
        self._router: Router
        self._autoscaler: Autoscaler

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`; every process is gone when this returns."""
        async with guarded() as (tell, folder):
            self._processes = LocalBackend(
                self._project,
                self._settings.pool,
                lambda: Nest(folder, f"http://127.0.0.1:{self._router.port}", tell),
                self._lines.add,
            )
            config = RouterConfig(
                host=self._settings.host,
                port=self._settings.port,
                public_port=self._settings.public_port,
                admin_host="127.0.0.1",
                admin_port=self._settings.admin_port,
            )
            self._autoscaler = autoscaler = Autoscaler(self._processes, self._metrics, time.monotonic)
            self._router = Router(config, self._processes, lambda key: autoscaler.poke([key]), self._tracing)
            await self._router.start()
            await _answers(self._router.admin_port)
            tasks = [asyncio.create_task(work) for work in (autoscaler.run(), self._reload(), self._refresh())]
            close = await control.serve(control.application(self, self._lines), self._router.port)
            await self._processes.warm.wait()
            self._screen.say(
                f"serving at http://{self._settings.host}:{self._router.port}, "
                f"public functions at http://{self._settings.host}:{self._router.public_port} too, "
                f"admin API at http://127.0.0.1:{self._router.admin_port}/docs, Ctrl-C stops"
            )
            stopped = asyncio.create_task(stop.wait())
            failed = asyncio.create_task(self._processes.ended.wait())
            try:
                await asyncio.wait([*tasks, stopped, failed], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (*tasks, stopped, failed):
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
                await close()
                socket_file(self._router.port).unlink(missing_ok=True)
                await self._router.stop(grace=GRACE_SECONDS)
            for result in (*results, self._processes.failure):
                if isinstance(result, Exception):
                    raise result

    # What the control socket shows and changes (`control.Served`)

    def shown(self) -> Mapping[Key, dict[str, Any]]:
        """Every function as a cluster would show it."""
        views = self._views()
        return {key: self._shown(key, views[key]) for key in self._processes.fleets if key in views}

    def shown_instances(self, key: Key) -> list[dict[str, Any]]:
        """Those of one function."""
        fleet = self._processes.fleets[key]
        forking = fleet.forking()
        return [
            {
                "id": instance.id,
                "revision": instance.revision,
                "state": "terminating" if instance.terminating else "ready",
                "port": instance.port,
                "forking": forking.get(instance.id, ""),
            }
            for instance in fleet.instances()
        ]

    def forget(self, key: Key) -> None:
        """Serve it no longer."""
        self._forgotten.add(key)
        self._follow(self._project)

    async def rest(self, key: Key) -> None:
        """Bring it to zero now."""
        await self._processes.rest(key)

    def add_paths(self, paths: Sequence[Path]) -> list[str]:
        """Serve more; the problems found in them.

        As on a cluster, what is deployed last counts: a path whose functions are all deleted or given anew is dropped.
        """
        added = read(paths)
        if added.problems:
            return [str(problem) for problem in added.problems]
        replaced = self._forgotten | added.functions.keys()
        kept = [path for path in self._paths if path in paths or not _only(read([path]), replaced)]
        wanted = [*kept, *(path for path in paths if path not in kept)]
        whole = read(wanted)
        if conflicts := [str(problem) for problem in whole.problems if problem not in self._project.problems]:
            return conflicts
        self._paths = wanted
        self._forgotten -= added.functions.keys()
        self._follow(reload.keep_serving(self._project, whole))
        return []

    # Its tasks

    async def _reload(self) -> None:
        if not self._settings.reload:
            await asyncio.Event().wait()
        async for _ in reload.edits(lambda: self._paths):
            self._follow(reload.keep_serving(self._project, await asyncio.to_thread(read, self._paths)))

    async def _refresh(self) -> None:
        while True:
            warnings = (f"Warning: {warning}" for warning in self._project.warnings)
            self._screen.update(self.rows(), [*map(str, self._project.problems), *warnings])
            await asyncio.sleep(REFRESH_SECONDS)

    def _follow(self, project: Project) -> None:
        self._project = project
        self._processes.follow(project.without(self._forgotten))

    # What is seen

    def rows(self) -> dict[Key, Row]:
        """The present state, by name."""
        found = {}
        for key, view in sorted(self._views().items()):
            fleet = self._processes.fleets.get(key)
            if fleet is not None:
                verdict = self._verdict(key, view)
                failed = verdict.status == "False"
                found[key] = Row(
                    key=key,
                    url=f"http://{self._settings.host}:{self._router.port}{view.url}",
                    state="failed" if failed and not fleet.ready else view.state,
                    ready=fleet.ready,
                    wanted=fleet.want,
                    in_flight=view.in_flight + view.queued,
                    cold_starts=view.cold_starts,
                    last_cold_start=view.last_cold_start.milliseconds if view.last_cold_start else None,
                    why=verdict.message,
                    failed=failed,
                )
        return found

    def _views(self) -> dict[Key, FunctionView]:
        return {key: function_view(lane) for key, lane in self._router.plane.upstreams.items()}

    def _verdict(self, key: Key, view: FunctionView, unread: str = "") -> LocalVerdict:
        fleet = self._processes.fleets[key]
        lost = self._router.plane.table.lost(key)
        return readiness(
            LocalObservation(
                state=view.state,
                why=view.why,
                failure=fleet.failure or fleet.remembered,
                lost=FleetFailure(lost[0].reason, lost[0].message) if lost else None,
                wanted=fleet.want,
                ready=fleet.ready,
                current=fleet.current,
                unread=unread,
            )
        )

    def _shown(self, key: Key, view: FunctionView) -> dict[str, Any]:
        fleet, broken = self._processes.fleets[key], self._project.outdated.get(key)
        verdict = self._verdict(key, view, str(broken or ""))
        ready = {
            "type": Condition.READY.value,
            "status": verdict.status,
            "reason": verdict.reason.value,
            "message": verdict.message,
        }
        last = view.last_cold_start
        cold = {"milliseconds": round(last.milliseconds), "path": last.path} if last else {}
        track = self._autoscaler.tracks.get(key)
        document = self._project.functions[key].document if key in self._project.functions else None
        return {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {
                "name": key.name,
                "namespace": key.namespace,
                "generation": 0,
                "creationTimestamp": self._began,
            },
            "spec": document.manifest.get("spec") if document else {},
            "status": {
                "conditions": [ready],
                "why": verdict.message,
                "url": f"http://{self._settings.host}:{self._router.port}{view.url}",
                "replicas": fleet.want,
                "readyReplicas": fleet.ready,
                "revision": fleet.revision,
                "inFlight": view.in_flight + view.queued,
                "coldStarts": view.cold_starts,
                "lastColdStart": cold,
                "scale": explanation.status(track) if track else {},
            },
        }

    def _metrics(self) -> list[str]:
        return [f"http://127.0.0.1:{self._router.admin_port}/metrics"]


async def _answers(port: int) -> None:
    """Wait until the admin API's thread listens; the autoscaler would complain."""
    async with asyncio.timeout(ADMIN_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                return


@contextlib.asynccontextmanager
async def guarded() -> AsyncIterator[tuple[Callable[[str], None], Path]]:
    """A guardian process and the folder it removes at the end; what is told to it is one line each."""
    folder = Path(tempfile.mkdtemp(prefix="wick-up-"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", guardian.__file__, str(folder)),
        stdin=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    ear = process.stdin
    if ear is None:
        raise RuntimeError("the guardian was started without a pipe")
    try:
        yield lambda text: ear.write(f"{text}\n".encode()), folder
    finally:
        ear.close()
        await process.wait()


def _only(project: Project, keys: AbstractSet[Key]) -> bool:
    """Whether a path has these functions and no other."""
    return bool(project.functions) and project.functions.keys() <= keys
