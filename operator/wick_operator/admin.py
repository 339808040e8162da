"""The operator's admin port: health, readiness, metrics, and `poke` for the autoscaler.

It lives in the main loop on purpose: a loop that is stuck does not answer, and the kubelet restarts the process.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from wick_api.names import Key

_MOST_BYTES = 1024 * 1024


class Poke(Struct):
    """Body of ``POST /poke``."""

    functions: list[str] = []


class Probes(Struct, frozen=True):
    """What the admin port asks the process; each answers with what is wrong, or nothing."""

    health: Callable[[], Awaitable[str]]
    readiness: Callable[[], str]
    poke: Callable[[Iterable[Key]], None]
    more_metrics: Callable[[], bytes] = lambda: b""


def application(probes: Probes) -> web.Application:
    """The admin API."""

    async def healthz(_: web.Request) -> web.Response:
        wrong = await probes.health()
        return web.Response(text=wrong or "ok", status=500 if wrong else 200)

    async def readyz(_: web.Request) -> web.Response:
        wrong = probes.readiness()
        return web.Response(text=wrong or "ok", status=503 if wrong else 200)

    async def metrics(_: web.Request) -> web.Response:
        body = await asyncio.to_thread(generate_latest)
        return web.Response(body=body + probes.more_metrics(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def poke(request: web.Request) -> web.Response:
        try:
            wanted = msgspec.json.decode(await request.read(), type=Poke)
            keys = [Key(*name.split("/", 1)) for name in wanted.functions if "/" in name]
        except msgspec.DecodeError as error:
            return web.Response(text=f"body: {error}", status=400)
        probes.poke(keys)
        return web.Response(status=202)

    app = web.Application(client_max_size=_MOST_BYTES)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    app.router.add_post("/poke", poke)
    return app


@asynccontextmanager
async def serving(probes: Probes, host: str, port: int) -> AsyncIterator[int]:
    """Serve the admin API while the block runs; yields the port."""
    runner = web.AppRunner(application(probes), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
