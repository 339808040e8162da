"""The admin API: health, readiness, metrics and what the router knows, on a port of its own.

It runs in its own thread with its own loop, so nothing that is asked of it delays a request. It reads the data plane
only through `in_plane`, which runs a piece of work in the data plane's loop.
"""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
import uvicorn
from fastapi import APIRouter, FastAPI, HTTPException, Query
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from wick_api import header
from wick_api.names import Key
from wick_router.admin import exposition
from wick_router.admin.model import FunctionView, function_view
from wick_router.config import RouterConfig
from wick_router.proxy.listeners import bound

if TYPE_CHECKING:
    from wick_router.proxy.data_plane import DataPlane

T = TypeVar("T")
ANSWER_TIMEOUT = 10.0
"""Seconds the data plane's loop may take to answer before the admin API calls it stuck."""
SLICE = 20
"""Functions written to the metrics page before other work of the loop has its turn."""


class Admin:
    """See the module."""

    def __init__(self, plane: "DataPlane", config: RouterConfig, ready: Callable[[], bool]) -> None:
        if config.admin_unix:
            Path(config.admin_unix).unlink(missing_ok=True)
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.bind(config.admin_unix)
            self.port = 0
        else:
            self._socket = bound(config.admin_host, config.admin_port, shared=False)
            self.port = int(self._socket.getsockname()[1])
        self._socket.listen()  # so that nobody is refused while the thread starts
        self._server = uvicorn.Server(
            uvicorn.Config(
                application(plane, ready),
                log_config=None,
                lifespan="off",
                access_log=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(target=self._serve, name="admin", daemon=True)

    def start(self) -> None:
        """Serve, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """End and wait for the end."""
        self._server.should_exit = True
        self._thread.join(timeout=5)
        self._socket.close()

    def _serve(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))


async def in_plane(plane: "DataPlane", work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in the data plane's loop; 503 when that does not answer."""
    future = asyncio.run_coroutine_threadsafe(work, plane.loop)
    try:
        return await asyncio.wait_for(asyncio.wrap_future(future), ANSWER_TIMEOUT)
    except TimeoutError as error:
        raise HTTPException(503, "the data plane does not answer") from error


async def _alive() -> None:
    """Answer."""


async def _page(plane: "DataPlane", names: list[str] | None) -> tuple[float, exposition.Page]:
    """When it was begun, by the plane's clock, and the page."""
    page, began = exposition.Page(), plane.clock()
    for count, page in enumerate(exposition.write(plane, names or exposition.HELP)):  # noqa: B007 - the last one is whole
        if count % SLICE == 0:
            await asyncio.sleep(0)
    return began, page


async def _one_by_one(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def _views(plane: "DataPlane", namespace: str | None) -> list[FunctionView]:
    upstreams = [plane.upstreams[key] for key in sorted(plane.upstreams)]
    views = []
    for upstream in upstreams:
        if namespace in (None, upstream.key.namespace):
            with plane.faults.border("view", upstream.key):
                views.append(function_view(upstream))
    return views


async def _view(plane: "DataPlane", key: Key) -> FunctionView | None:
    upstream = plane.upstreams.get(key)
    return function_view(upstream) if upstream else None


def application(plane: "DataPlane", ready: Callable[[], bool]) -> FastAPI:
    """The admin API of one router; `ready` says whether new requests are welcome."""
    app = FastAPI(title="Kubewick router", version="v1alpha1", docs_url="/docs", redoc_url=None)
    app.include_router(_health(plane, ready))
    app.include_router(_functions(plane))
    return app


def _health(plane: "DataPlane", ready: Callable[[], bool]) -> APIRouter:
    api = APIRouter()

    @api.get("/healthz")
    async def healthz() -> Response:
        """200 while the data plane's loop answers."""
        await in_plane(plane, _alive())
        return PlainTextResponse("ok\n")

    @api.get("/readyz")
    async def readyz() -> Response:
        """200 while new requests are welcome; says ``degraded`` when the platform cannot be seen."""
        if not ready():
            return JSONResponse({"state": "draining"}, 503)
        if not plane.informed:
            return JSONResponse({"state": "starting"}, 503)
        return JSONResponse({"state": "ready" if plane.in_touch else "degraded"})

    @api.get("/metrics")
    async def metrics(names: Annotated[list[str] | None, Query(alias="name[]")] = None) -> Response:
        """Prometheus text; with ``name[]`` those families only."""
        clock, page = await in_plane(plane, _page(plane, names))
        pieces = list(page.pieces())
        headers = {header.CLOCK: f"{clock:.6f}", "Content-Length": str(sum(map(len, pieces)))}
        return StreamingResponse(_one_by_one(pieces), headers=headers, media_type=exposition.CONTENT_TYPE)

    return api


def _functions(plane: "DataPlane") -> APIRouter:
    api = APIRouter(prefix="/api/v1/functions")

    @api.get("")
    async def functions(namespace: str | None = None) -> Response:
        """Every function the router knows, or those of one namespace."""
        return _json({"functions": await in_plane(plane, _views(plane, namespace))})

    @api.get("/{namespace}/{name}")
    async def function(namespace: str, name: str) -> Response:
        """One function."""
        found = await in_plane(plane, _view(plane, Key(namespace, name)))
        if found is None:
            raise HTTPException(404, f"no function {namespace}/{name}")
        return _json(found)

    return api


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
