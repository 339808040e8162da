"""Mixed traffic for minutes, then nothing may be left: `soak.py [--minutes M]`.

Cold starts, warm requests, slow and aborted ones, streams, WebSockets, bodies and refusals, against one router in this
process. Memory is read each tenth of the run; the second half may not be more than a tenth above the first. At the
end no request, slot, connection, buffered byte or task of the router may be left.
"""

import argparse
import asyncio
import contextlib
import gc
import random
import sys
from pathlib import Path

import uvloop
from static import StaticBackend, function

from wick_api.names import Key
from wick_router.backend import Instance
from wick_router.config import RouterConfig
from wick_router.router import Router

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
COLD, WARM = Key("default", "cold"), Key("default", "warm")
CLIENTS = 40


BUSY = b"HTTP/1.1 429 X\r\nKubewick-Refused: concurrency\r\nContent-Length: 0\r\n\r\n"
SWITCH = b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


async def instance(reader, writer):
    """Does what the path asks for, until the router or the path ends it."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while not writer.is_closing():
            head = await reader.readuntil(b"\r\n\r\n")
            length = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            if length:
                await reader.readexactly(int(length[0].split(b":")[1]))
            await play(head.split()[1], reader, writer)
    writer.close()


async def play(path, reader, writer):
    """One answer."""
    if path == b"/die":
        writer.transport.abort()
    elif path == b"/stream":
        await stream(writer)
    elif path == b"/ws":
        writer.write(SWITCH)
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()
    else:
        if path == b"/slow":
            await asyncio.sleep(0.05)
        if not writer.is_closing():
            writer.write(BUSY if path == b"/busy" else OK)


async def stream(writer):
    """A chunked answer that takes its time."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(20):
        await asyncio.sleep(0.001)
        if writer.is_closing():
            return
        writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        await writer.drain()
    if not writer.is_closing():
        writer.write(b"0\r\n\r\n")


async def visit(port, chance):
    """One client's visit: some requests on one connection, and perhaps a rude end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
        for _ in range(chance.randint(1, 20)):
            kind = chance.choice(["", "", "", "slow", "stream", "ws", "post", "die", "busy", "cold", "bad", "nobody"])
            host = b"cold.default" if kind == "cold" else b"nobody" if kind == "nobody" else b"warm.default"
            end = b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" if kind == "ws" else b"\r\n"
            if kind == "post":
                end = b"Content-Length: 50000\r\n\r\n" + b"x" * 50_000
            method = b"POST" if kind == "post" else b"B\0D" if kind == "bad" else b"GET"
            writer.write(b"%b /%b HTTP/1.1\r\nHost: %b\r\n%b" % (method, kind.encode(), host, end))
            if chance.random() < 0.1:
                await asyncio.sleep(chance.random() * 0.01)
                break  # leave in the middle
            async with asyncio.timeout(5):
                head = await reader.readuntil(b"\r\n\r\n")
                if kind == "ws" and b" 101 " in head:
                    writer.write(b"\x81\x02hi")
                    await reader.readexactly(4)
                    break
                if b"chunked" in head:
                    await reader.readuntil(b"\r\n0\r\n\r\n")
                else:
                    size = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
                    await reader.readexactly(int(size[0].split(b":")[1]) if size else 0)
            if b"close" in head:
                break
    if chance.random() < 0.3:
        writer.transport.abort()
    writer.close()


class Platform(StaticBackend):
    """Starts an instance of the cold function a moment after it is asked to, and ends it again."""

    def __init__(self, functions, port):
        super().__init__(functions)
        self._port = port
        self._count = 0

    def activate(self, key):
        self._count += 1
        made = Instance(id=f"i{self._count}", host="127.0.0.1", port=self._port, revision="r", ready=False)
        loop = asyncio.get_running_loop()
        loop.call_later(0.02, self.sink.instances, key, [made])
        loop.call_later(0.2, self.sink.instances, key, [])


def resident():
    """MB of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


async def soak(minutes):
    server = await asyncio.start_server(instance, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    functions = [function("warm", concurrency=20, timeout="1s"), function("cold", concurrency=5, timeout="5s")]
    platform = Platform(functions, port)
    router = Router(RouterConfig(host="127.0.0.1", port=0, admin_port=-1), platform)
    await router.start()
    await asyncio.sleep(0)
    each = Instance(id="w", host="127.0.0.1", port=port, revision="r", ready=True)
    router.plane.instances(WARM, [each, Instance(id="v", host="127.0.0.1", port=port, revision="r", ready=True)])
    loop = asyncio.get_running_loop()
    end = loop.time() + minutes * 60
    visits = 0

    async def client(seed):
        nonlocal visits
        chance = random.Random(seed)
        while loop.time() < end:
            await visit(router.port, chance)
            visits += 1

    async def watch():
        seen = []
        for _ in range(10):
            await asyncio.sleep(minutes * 6)
            gc.collect()
            seen.append(resident())
            print(f"{seen[-1]:.1f} MB after {visits} visits", flush=True)
        return seen

    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch())
        for seed in range(CLIENTS):
            group.create_task(client(seed))
    await asyncio.sleep(6)
    return check(router, watching.result(), visits)


def check(router, memory, visits):
    """What is left that should not be, in words."""
    plane = router.plane
    left = {
        "requests": len(plane.live),
        "clients": len(plane.clients),
        "spliced sockets": len(plane.tunnels),
        "buffered bytes": plane.buffered,
        "tasks": len(plane._tasks),
    }
    for lane in plane.upstreams.values():
        left[f"{lane.key} in flight"] = lane.dispatch.in_flight
        left[f"{lane.key} waiting"] = len(lane.dispatch.queue)
        left[f"{lane.key} demand"] = sum(demand.level for demand in lane.dispatch.demands.values())
        codes = {}
        for demand in lane.dispatch.demands.values():
            codes |= {code: codes.get(code, 0) + count for code, count in demand.codes.items()}
        print(lane.key, "answers", codes, "retries", lane.retries, "refusals", lane.refusals)
    faults = [f"{count} {what}" for what, count in left.items() if count]
    if max(memory[5:]) > 1.1 * max(memory[1:5]):
        faults.append(f"memory grew from {max(memory[1:5]):.1f} to {max(memory[5:]):.1f} MB")
    print(f"{visits} visits; left behind: {', '.join(faults) or 'nothing'}")
    return bool(faults)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=5)
    sys.exit(uvloop.run(soak(parser.parse_args().minutes)))
