"""A real router in this process, real sockets on both sides, and instances that do as they are told."""

import asyncio
import contextlib
import os
import socket
import struct
import sys
from pathlib import Path

import pytest
import uvloop

from cluster.stream_server import StreamServer
from cluster.waiting import PATIENCE
from wick_api.names import Key
from wick_router.backend import Instance
from wick_router.config import RouterConfig
from wick_router.router import Router

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks" / "router"))
from static import StaticBackend, function

HELLO = Key("default", "hello")


def pytest_asyncio_loop_factories(config, item):  # noqa: ARG001 - the hook's signature
    """On uvloop, as everywhere the router runs."""
    return {"uvloop": uvloop.new_event_loop}


class Connection:
    """One end of a socket, with deadlines on everything."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def send(self, data):
        self.writer.write(data)

    def send_now(self, data):
        """Past the transport, which would wait for the end of the loop's turn."""
        with socket.socket(fileno=os.dup(self.writer.get_extra_info("socket").fileno())) as same:
            assert same.send(data) == len(data)

    async def until(self, mark):
        return await asyncio.wait_for(self.reader.readuntil(mark), PATIENCE)

    async def head(self):
        return await self.until(b"\r\n\r\n")

    async def exactly(self, count):
        return await asyncio.wait_for(self.reader.readexactly(count), PATIENCE)

    async def rest(self):
        return await asyncio.wait_for(self.reader.read(), PATIENCE)

    async def answer(self):
        """Status, head and body of one counted answer."""
        head = await self.head()
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
        )
        return int(head.split()[1]), head, await self.exactly(length)

    def reset(self):
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self):
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


class Upstream(StreamServer):
    """A listening instance; `script(connection)` plays its part on every connection."""

    def __init__(self, script):
        super().__init__(self._play, limit=1 << 22)
        self.script = script
        self.connections = []
        self.port = 0

    async def start(self, listening=None):
        await super().start(listening)
        return self

    async def _play(self, reader, writer):
        connection = Connection(reader, writer)
        self.connections.append(connection)
        await self.script(connection)

    def instance(self, name="a", *, ready=True, **more):
        return Instance(id=name, host="127.0.0.1", port=self.port, revision="r1", ready=ready, **more)


def answering(response, gate=None):
    """A script that answers every bodyless or counted request with `response`."""

    async def script(connection):
        while True:
            head = await connection.head()
            length = [int(x.split(b":")[1]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length")]
            await connection.exactly(length[0] if length else 0)
            if gate is not None:
                await gate.wait()
            connection.send(response)

    return script


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class World:
    """A router and what is around it."""

    tracing = None

    def __init__(self):
        self._stack = contextlib.AsyncExitStack()

    async def router(self, *functions, **config):
        self.backend = StaticBackend(functions or [function("hello")])
        self.r = Router(
            RouterConfig(**{"host": "127.0.0.1", "port": 0, "admin_host": "127.0.0.1", "admin_port": -1, **config}),
            self.backend,
            tracing=self.tracing,
        )
        await self.r.start()
        self._stack.push_async_callback(self.r.stop)
        await asyncio.sleep(0)
        return self.r

    async def upstream(self, script, listening=None):
        upstream = await Upstream(script).start(listening)
        self._stack.push_async_callback(upstream.stop)
        return upstream

    async def serve(self, script, *functions, **config):
        """A router with one warm instance of `hello` that plays `script`."""
        await self.router(*functions, **config)
        upstream = await self.upstream(script)
        self.instances(upstream.instance())
        return upstream

    def instances(self, *instances, key=HELLO):
        self.r.plane.instances(key, instances)

    def closed(self, name="a", **more):
        """An instance at a port that refuses connections, and that nobody else gets while the test runs; its socket."""
        held = socket.socket()
        held.bind(("127.0.0.1", 0))
        self._stack.callback(held.close)
        port = held.getsockname()[1]
        return held, Instance(id=name, host="127.0.0.1", port=port, revision="r1", **{"ready": True, **more})

    def later(self, seconds):
        """Let this time pass for the router at once."""
        clock = self.r.plane.clock
        self.r.plane.clock = lambda: clock() + seconds

    async def rounds(self, count):
        """Until the router has looked after its deadlines so many times more."""
        wanted = self.r.plane.loop_lag.count + count
        await self.eventually(lambda: self.r.plane.loop_lag.count >= wanted)

    async def client(self, port=None):
        connection = Connection(*await asyncio.open_connection("127.0.0.1", port or self.r.port, limit=1 << 22))
        self._stack.push_async_callback(connection.close)
        return connection

    async def request(self, data):
        client = await self.client()
        client.send(data)
        return await client.answer()

    @property
    def lane(self):
        return self.r.plane.upstreams[HELLO]

    async def quiet(self):
        """Until nothing is in flight; then nothing may be left behind."""
        await self.eventually(lambda: not self.r.plane.live)
        lane = self.lane
        assert lane.dispatch.in_flight == 0
        assert all(slot.in_flight == 0 for slot in lane.dispatch.slots.values())
        assert all(demand.level == 0 for demand in lane.dispatch.demands.values())
        assert lane.buffered == self.r.plane.buffered == 0

    async def eventually(self, condition, within=PATIENCE):
        async with asyncio.timeout(within):
            while not condition():  # noqa: ASYNC110 - the condition is anything
                await asyncio.sleep(0.005)

    async def close(self):
        await self._stack.aclose()


@pytest.fixture
async def world():
    world = World()
    yield world
    await world.close()
