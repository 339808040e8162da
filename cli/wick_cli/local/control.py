"""How ``wick list --local`` and the others talk to a running ``wick up``: HTTP on a Unix socket only its user can open.

A socket file and not a port, so that no web page in a browser and no other user of the machine can stop a function or
read its log. Functions are shown in the shape a cluster shows them.

| call | answer |
|---|---|
| ``GET /functions`` | all |
| ``GET /functions/NAMESPACE/NAME`` | one, with ``instances`` beside it |
| ``GET /functions/NAMESPACE/NAME/logs?since=N`` | ``{"next", "lines"}`` after the first N |
| ``POST /functions/NAMESPACE/NAME/rest`` | once nothing of it runs |
| ``DELETE /functions/NAMESPACE/NAME`` | stops serving it until its files are given again |
| ``POST /paths {"paths": [...]}`` | serves these files and folders too |
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
from aiohttp import web
from msgspec import Struct

from wick_api.names import Key
from wick_cli.local.address import socket_file
from wick_cli.local.lines import Lines

LARGEST = 1024 * 1024
"""Bytes of a call's body: paths, and nothing else."""


class Paths(Struct):
    """Body of ``POST /paths``."""

    paths: list[str] = []


class ControlledSite(Protocol):
    """What the socket shows and changes."""

    def shown(self) -> Mapping[Key, dict[str, Any]]:
        """Every function as a cluster would show it."""

    def shown_instances(self, key: Key) -> list[dict[str, Any]]:
        """Those of one function."""

    async def rest(self, key: Key) -> None:
        """Bring it to zero now."""

    def forget(self, key: Key) -> None:
        """Serve it no longer."""

    def add_paths(self, paths: Sequence[Path]) -> list[str]:
        """Serve more; the problems found in them."""


def application(served: ControlledSite, lines: Lines) -> web.Application:
    """The calls of the table above."""

    def known(request: web.Request) -> Key:
        key = Key(request.match_info["namespace"], request.match_info["name"])
        if key not in served.shown():
            raise web.HTTPNotFound(text=f"Function {key} not found")
        return key

    async def show_all(_: web.Request) -> web.Response:
        return web.json_response({"items": list(served.shown().values())})

    async def show(request: web.Request) -> web.Response:
        key = known(request)
        return web.json_response({"function": served.shown()[key], "instances": served.shown_instances(key)})

    async def logs(request: web.Request) -> web.Response:
        number = request.query.get("since", "0")
        if not number.isdecimal():
            raise web.HTTPBadRequest(text="since: expected a whole number")
        following, found = lines.since(known(request), int(number))
        return web.json_response({"next": following, "lines": found})

    async def rest(request: web.Request) -> web.Response:
        await served.rest(known(request))
        return web.json_response({})

    async def delete(request: web.Request) -> web.Response:
        served.forget(known(request))
        return web.json_response({})

    async def add(request: web.Request) -> web.Response:
        paths = _paths(await request.read())
        return web.json_response({"problems": served.add_paths([Path(path) for path in paths])})

    one = "/functions/{namespace}/{name}"
    app = web.Application(client_max_size=LARGEST)
    app.add_routes(
        [
            web.get("/functions", show_all),
            web.get(one, show),
            web.get(f"{one}/logs", logs),
            web.post(f"{one}/rest", rest),
            web.delete(one, delete),
            web.post("/paths", add),
        ]
    )
    return app


def _paths(body: bytes) -> list[str]:
    try:
        return msgspec.json.decode(body, type=Paths).paths
    except msgspec.DecodeError as error:
        raise web.HTTPBadRequest(text=f"body: {error}") from error


async def serve(app: web.Application, port: int) -> Callable[[], Any]:
    """Listen; the result, awaited, stops it. A socket file left by a crash is replaced."""
    file = socket_file(port)
    file.parent.mkdir(mode=0o700, exist_ok=True)
    if file.parent.stat().st_uid != os.getuid():
        raise PermissionError(f"{file.parent} belongs to somebody else")
    file.unlink(missing_ok=True)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.UnixSite(runner, str(file)).start()
    return runner.cleanup
