"""CPU of one warm request in our own code alone: real parsers and state, no kernel. `hotpath.py [REQUESTS]`."""

import asyncio
import sys
import time
from typing import TYPE_CHECKING

import uvloop
from static import StaticBackend, function

from wick_api.names import Key
from wick_router.backend import Instance
from wick_router.client import Client
from wick_router.config import Config
from wick_router.instance import InstanceConnection
from wick_router.plane import Plane

if TYPE_CHECKING:
    from wick_router.endpoint import Endpoint

REQUEST = b"GET / HTTP/1.1\r\nHost: f0.default\r\n\r\n"
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sat, 21 Nov 2026 05:35:55 GMT\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 13\r\nConnection: keep-alive\r\n\r\nHello, world!"
)


class Nowhere:
    """A transport that takes everything."""

    def write(self, data):
        pass

    def get_extra_info(self, name):
        return ("127.0.0.1", 1) if name == "peername" else None

    def set_write_buffer_limits(self, high):
        pass

    def is_closing(self):
        return False

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass


async def measure(rounds):
    each = function("f0", concurrency=1000)
    plane = Plane(Config(), StaticBackend([each]))
    plane.function(each)
    plane.instances(each.key, [Instance(id="a", host="127.0.0.1", port=1, revision="r", ready=True)])
    await asyncio.sleep(0)
    endpoint: Endpoint = next(iter(plane.lanes[Key("default", "f0")].endpoints.values()))
    conn = InstanceConnection(endpoint)
    conn.connection_made(Nowhere())
    endpoint.put(conn)
    client = Client(plane, b"http")
    client.connection_made(Nowhere())
    best = float("inf")
    for _ in range(40):
        began = time.process_time()
        for _ in range(rounds):
            client.data_received(REQUEST)
            conn.data_received(RESPONSE)
        best = min(best, (time.process_time() - began) / rounds)
    assert not plane.live
    return best


if __name__ == "__main__":
    print(f"{uvloop.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)) * 1e6:.1f} µs a request")
