"""Several router processes that share the data port, and one that speaks for them on the admin port.

    parent: spawns, restarts, passes signals on, admin port        child: a whole `Router`, admin API on a Unix socket
       |                                                              ^
       +------- GET /metrics, /api/v1/functions, /readyz -------------+   added up by `merge`

The kernel spreads new connections over the children (SO_REUSEPORT). Each watches the platform for itself and keeps its
own queues; instances keep their limit in total because the runtime refuses what is too much and the child moves the
request on, just as between routers on different nodes.
"""

import asyncio
import json
import logging
import os
import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, HTTPException, Query
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from wick_api import header
from wick_router.admin import exposition
from wick_router.admin.decisions import merge
from wick_router.config import PREFIX, RouterConfig
from wick_router.proxy.listeners import bound

log = logging.getLogger(__name__)

ANSWER_TIMEOUT = 5.0
"""Seconds a child may take to answer the parent."""
RESTART_PAUSE = 0.5
"""Seconds before a child that ended by itself is replaced."""


class RouterProcess:
    """One router process."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.process: asyncio.subprocess.Process | None = None
        self.pages: dict[str, str] = {}
        """Its last metrics pages, by what was asked for."""

    async def get(self, path: str) -> str:
        """Body of the child's admin API; `OSError` when it does not answer."""
        async with asyncio.timeout(ANSWER_TIMEOUT):
            reader, writer = await asyncio.open_unix_connection(str(self.socket))
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: child\r\n\r\n".encode())
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            finally:
                writer.close()
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise OSError(head.partition(b"\r\n")[0].decode("latin-1"))
        return body.decode()


class Group:
    """See the module. `command` starts one child, which reads its configuration from the environment."""

    def __init__(self, config: RouterConfig, command: Sequence[str]) -> None:
        self._config = config
        self._command = command
        self._folder = tempfile.TemporaryDirectory(prefix="wick-router-")
        self.children = [
            RouterProcess(Path(self._folder.name) / f"{number}.sock") for number in range(config.processes)
        ]
        self._sum = merge.Sum()
        self._stopping = False
        self._admin_socket = bound(config.admin_host, config.admin_port, shared=False)
        self._admin_socket.listen()
        self.admin_port = int(self._admin_socket.getsockname()[1])

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve until `stopping` is set, then let the children drain."""
        server = uvicorn.Server(uvicorn.Config(self._application(), log_config=None, lifespan="off", access_log=False))
        async with asyncio.TaskGroup() as group:
            keepers = [group.create_task(self._keep(child)) for child in self.children]
            serving = group.create_task(server.serve(sockets=[self._admin_socket]))
            await stopping.wait()
            self._stopping = True
            for child in self.children:
                if child.process is not None and child.process.returncode is None:
                    child.process.send_signal(signal.SIGTERM)
            await asyncio.gather(*keepers)
            server.should_exit = True
            await serving
        self._folder.cleanup()

    async def _keep(self, child: RouterProcess) -> None:
        """Keep one child running."""
        environment = {
            **os.environ,
            f"{PREFIX}PROCESSES": str(self._config.processes),
            f"{PREFIX}ADMIN_UNIX": str(child.socket),
        }
        while not self._stopping:
            child.process = await asyncio.create_subprocess_exec(*self._command, env=environment)
            status = await child.process.wait()
            self._sum.keep(child.pages.values())
            child.pages.clear()
            if not self._stopping:
                log.warning("router process %d ended with status %d and is replaced", child.process.pid, status)
                await asyncio.sleep(RESTART_PAUSE)

    async def _ask(self, path: str) -> list[str]:
        """The answers of the children that answer."""
        answers = await asyncio.gather(*(child.get(path) for child in self.children), return_exceptions=True)
        for child, answer in zip(self.children, answers, strict=True):
            if isinstance(answer, BaseException):
                log.warning("a router process does not answer %s: %r", path, answer)
            elif path.startswith("/metrics"):
                child.pages[path] = answer
        return [answer for answer in answers if isinstance(answer, str)]

    def _application(self) -> FastAPI:
        app = FastAPI(title="Kubewick router", version="v1alpha1", docs_url="/docs", redoc_url=None)

        @app.get("/healthz")
        async def healthz() -> Response:
            """200 while every process answers."""
            whole = len(await self._ask("/healthz")) == len(self.children)
            return PlainTextResponse("ok\n" if whole else "a process does not answer\n", 200 if whole else 503)

        @app.get("/readyz")
        async def readyz() -> Response:
            """200 while new requests are welcome."""
            told = [json.loads(answer)["state"] for answer in await self._ask("/readyz")]
            if self._stopping or not told:
                return JSONResponse({"state": "draining" if self._stopping else "starting"}, 503)
            return JSONResponse({"state": "degraded" if "degraded" in told else "ready"})

        @app.get("/metrics")
        async def metrics(names: Annotated[list[str] | None, Query(alias="name[]")] = None) -> Response:
            """Prometheus text of all processes together; with ``name[]`` those families only."""
            known = sorted(set(names or ()) & exposition.HELP.keys())
            query = "&".join(f"name[]={name}" for name in known)
            pages = await self._ask(f"/metrics?{query}" if query else "/metrics")
            clock = {header.CLOCK: f"{time.monotonic():.6f}"}
            return PlainTextResponse(self._sum.page(pages, known), headers=clock, media_type=exposition.CONTENT_TYPE)

        @app.get("/api/v1/functions")
        async def functions(namespace: str | None = None) -> dict[str, Any]:
            """Every function the processes know, or those of one namespace."""
            query = f"?namespace={namespace}" if namespace else ""
            told = await self._ask(f"/api/v1/functions{query}")
            return {"functions": merge.functions(json.loads(answer)["functions"] for answer in told)}

        @app.get("/api/v1/functions/{namespace}/{name}")
        async def function(namespace: str, name: str) -> dict[str, Any]:
            """One function."""
            told = await self._ask(f"/api/v1/functions/{namespace}/{name}")
            if not told:
                raise HTTPException(404, f"no function {namespace}/{name}")
            return merge.functions([json.loads(answer)] for answer in told)[0]

        return app
