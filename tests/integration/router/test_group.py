"""Several router processes seen as one router."""

import asyncio
import json
import re
import socket
import sys
from pathlib import Path

import pytest

from wick_router.config import Config
from wick_router.group import Group

GET = b"GET /function/default/hello/x HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n"
CHILD = """
import asyncio, os, signal, sys
sys.path.insert(0, {static!r})
from static import StaticBackend, function
from wick_router.backend import Instance
from wick_router.config import Config
from wick_router.router import Router

async def main():
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    each = function("hello")
    instance = Instance(id="a", host="127.0.0.1", port={upstream}, revision="r1", ready=True)
    await Router(Config.from_environment(os.environ), StaticBackend([each], {{each.key: [instance]}})).run(stopping)

asyncio.run(main())
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def ask(port, request):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


async def admin(group, path):
    answer = await ask(group.admin_port, f"GET {path} HTTP/1.0\r\nHost: a\r\n\r\n".encode())
    return answer.partition(b"\r\n\r\n")[2].decode()


@pytest.mark.timeout(120)
async def test_two_processes_share_a_port_and_tell_one_story(world, tmp_path, monkeypatch):
    async def always(connection):
        while True:
            await connection.head()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    upstream = await world.upstream(always)
    script = tmp_path / "child.py"
    static = Path(__file__).parents[3] / "benchmarks" / "router"
    script.write_text(CHILD.format(static=str(static), upstream=upstream.port))
    settings = {"host": "127.0.0.1", "port": free_port(), "drain_delay": 0, "grace": 1}
    for name, value in settings.items():
        monkeypatch.setenv(f"WICK_ROUTER_{name.upper()}", str(value))
    config = Config(**settings, processes=2, admin_host="127.0.0.1", admin_port=0)
    group, stopping = Group(config, (sys.executable, str(script))), asyncio.Event()
    running = asyncio.create_task(group.run(stopping))

    async def counted():
        found = re.findall(
            r'^kubewick_function_requests_total\{.*code="200"\} (\d+)', await admin(group, "/metrics"), re.MULTILINE
        )
        return sum(map(int, found))

    async def until(wanted):
        async with asyncio.timeout(60):
            while not await wanted():  # noqa: ASYNC110 - another process changes it
                await asyncio.sleep(0.05)

    async def healthy():
        return await admin(group, "/healthz") == "ok\n"

    await until(healthy)
    for _ in range(20):
        assert (await ask(config.port, GET)).startswith(b"HTTP/1.1 200")
    assert await counted() == 20
    told = json.loads(await admin(group, "/api/v1/functions"))["functions"]
    assert [(each["name"], each["state"], len(each["instances"])) for each in told] == [("hello", "ready", 1)]
    ended = group.children[0].process
    ended.kill()
    await ended.wait()
    await until(healthy)
    assert await counted() == 20
    assert (await ask(config.port, GET)).startswith(b"HTTP/1.1 200")
    assert await counted() == 21
    stopping.set()
    await asyncio.wait_for(running, 20)
    assert all(child.process.returncode == 0 for child in group.children)
