"""The socket that `wick` speaks to a running `wick up` by keeps a bounded part of what it is sent."""

import asyncio
import http.client
import socket
from types import SimpleNamespace

import pytest
from aiohttp import web

from operating.flood import BOUND, flood, forget_peak, peak
from wick_cli.local.control import LARGEST, application
from wick_cli.local.lines import Lines


@pytest.fixture
async def served(tmp_path):
    """The application on a socket file, and the paths it was given."""
    given = []
    site = SimpleNamespace(add_paths=lambda paths: given.extend(paths) or [])
    runner = web.AppRunner(application(site, Lines(lambda *_: None)))
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "socket")).start()
    yield str(tmp_path / "socket"), given
    await runner.cleanup()


async def test_paths_without_end_are_refused_and_not_kept(served):
    file, given = served
    forget_peak()
    before = peak()
    await asyncio.to_thread(flood, file, "POST /paths")
    assert peak() - before < BOUND
    assert await asyncio.to_thread(post, file, b"x" * (LARGEST + 1)) == 413
    assert not given


@pytest.mark.parametrize("body", [b"", b"[]", b'{"paths": 1}', b'{"paths": [1]}', b"\xff"])
async def test_what_is_no_list_of_paths_is_a_400(served, body):
    file, given = served
    assert await asyncio.to_thread(post, file, body) == 400
    assert not given


async def test_paths_are_taken(served):
    file, given = served
    assert await asyncio.to_thread(post, file, b'{"paths": ["a/b"]}') == 200
    assert [str(path) for path in given] == ["a/b"]


def post(file, body):
    connection = http.client.HTTPConnection("x", timeout=20)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(file)
    try:
        connection.request("POST", "/paths", body)
        return connection.getresponse().status
    finally:
        connection.close()
