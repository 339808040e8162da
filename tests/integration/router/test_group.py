"""Several router processes seen as one router."""

import asyncio
import json
import re
import sys
from pathlib import Path

from cluster.process import free_ports
from cluster.waiting import PATIENCE, eventually_async
from wick_router.admin.group import Group
from wick_router.config import RouterConfig

GET = b"GET /function/default/hello/x HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n"
CHILD = """
import asyncio, os, signal, sys
sys.path.insert(0, {static!r})
from static import StaticBackend, function
from wick_router.backend import Instance
from wick_router.config import RouterConfig
from wick_router.router import Router

async def main():
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    each = function("hello")
    instance = Instance(id="a", host="127.0.0.1", port={upstream}, revision="r1", ready=True)
    backend = StaticBackend([each], {{each.key: [instance]}})
    await Router(RouterConfig.from_environment(os.environ), backend).run(stopping)

asyncio.run(main())
"""


async def ask(port, request):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), PATIENCE)
    writer.close()
    return answer


async def admin(group, path):
    answer = await ask(group.admin_port, f"GET {path} HTTP/1.0\r\nHost: a\r\n\r\n".encode())
    return answer.partition(b"\r\n\r\n")[2].decode()


async def always(connection):
    while True:
        await connection.head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def test_two_processes_share_a_port_and_tell_one_story(world, tmp_path, monkeypatch):
    upstream = await world.upstream(always)
    script = tmp_path / "child.py"
    static = Path(__file__).parents[3] / "benchmarks" / "router"
    script.write_text(CHILD.format(static=str(static), upstream=upstream.port))
    settings = {"host": "127.0.0.1", "port": free_ports(1)[0], "drain_delay": 0, "grace": PATIENCE}
    for name, value in settings.items():
        monkeypatch.setenv(f"WICK_ROUTER_{name.upper()}", str(value))
    config = RouterConfig(**settings, processes=2, admin_host="127.0.0.1", admin_port=0)
    group, stopping = Group(config, (sys.executable, str(script))), asyncio.Event()
    running = asyncio.create_task(group.run(stopping))

    async def counted():
        found = re.findall(
            r'^kubewick_function_requests_total\{.*code="200"\} (\d+)', await admin(group, "/metrics"), re.MULTILINE
        )
        return sum(map(int, found))

    def counts(number):
        async def look():
            return await counted() == number

        return look

    async def healthy():
        return await admin(group, "/healthz") == "ok\n"

    await eventually_async(healthy)
    for _ in range(20):
        assert (await ask(config.port, GET)).startswith(b"HTTP/1.1 200")
    await eventually_async(counts(20))
    told = json.loads(await admin(group, "/api/v1/functions"))["functions"]
    assert [(each["name"], each["state"], len(each["instances"])) for each in told] == [("hello", "ready", 1)]
    ended = group.children[0].process
    ended.kill()
    await ended.wait()
    await eventually_async(healthy)
    await eventually_async(counts(20))
    assert (await ask(config.port, GET)).startswith(b"HTTP/1.1 200")
    await eventually_async(counts(21))
    stopping.set()
    await asyncio.wait_for(running, PATIENCE)
    assert all(child.process.returncode == 0 for child in group.children)
