"""CPU of one warm request in our own code alone: real parsers and state, no kernel. `hotpath.py [TURNS]`.

Twice: with answers whose heads repeat, and with answers that all differ, which no memory of heads helps.
And a metrics page of 1,000 functions that were called: in all, and in slices of the event loop's time (p99).
"""

import asyncio
import sys
import time
from itertools import count, islice, repeat
from typing import TYPE_CHECKING

import uvloop
from static import StaticBackend, function

from wick_api.names import Key
from wick_router.admin.exposition import write
from wick_router.backend import Instance
from wick_router.config import RouterConfig
from wick_router.proxy.client_connection import ClientConnection
from wick_router.proxy.data_plane import DataPlane
from wick_router.proxy.instance_connection import InstanceConnection

if TYPE_CHECKING:
    from wick_router.proxy.endpoint import Endpoint

REQUEST = b"GET / HTTP/1.1\r\nHost: f0.default\r\n\r\n"
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sat, 21 Nov 2026 05:35:55 GMT\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 13\r\nConnection: keep-alive\r\n\r\nHello, world!"
)
TURN = 10
"""Connections that can be read in one turn of the loop; under load, some ten or more."""
CALLED = 1000
"""Functions on the metrics page."""


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


async def measure(turns, answers):
    """Seconds of one request; `answers` are given in turn."""
    each = function("f0", concurrency=1000)
    plane = DataPlane(RouterConfig(), StaticBackend([each]))
    plane.function(each)
    plane.instances(each.key, [Instance(id="a", host="127.0.0.1", port=1, revision="r", ready=True)])
    await asyncio.sleep(0)
    endpoint: Endpoint = next(iter(plane.upstreams[Key("default", "f0")].endpoints.values()))
    conns = [InstanceConnection(endpoint) for _ in range(TURN)]
    clients = [ClientConnection(plane, b"http", public=False) for _ in range(TURN)]
    for each in (*conns, *clients):
        each.connection_made(Nowhere())
    for conn in conns:
        endpoint.put(conn)
    best = float("inf")
    for _ in range(40):
        given = list(islice(answers, turns * TURN))
        began = time.process_time()
        for first in range(0, len(given), TURN):
            for client in clients:
                client.data_received(REQUEST)
            plane.outbox.flush()
            for conn, answer in zip(conns, given[first : first + TURN], strict=True):
                conn.data_received(answer)
            plane.outbox.flush()
        best = min(best, (time.process_time() - began) / len(given))
        await asyncio.sleep(0)  # the loop forgets the turns it was asked for
    assert not plane.live
    return best


async def measure_page():
    """Seconds of CPU for the whole page, and for a slice of it (p99); the least of some tries."""
    plane = DataPlane(RouterConfig(), StaticBackend([]))
    for number in range(CALLED):
        each = function(f"f{number}")
        plane.function(each)
        lane = plane.upstreams[each.key]
        lane.dispatch.demands[lane.dispatch.revision].codes[200] = 1
        lane.warm.observe(0.001)
    seen = []
    for _ in range(10):
        slices, at = [], time.process_time()
        for _ in write(plane):
            slices.append(time.process_time() - at)
            at = time.process_time()
        seen.append((sum(slices), sorted(slices)[int(len(slices) * 0.99)]))
    return tuple(map(min, zip(*seen, strict=True)))


def main(turns):
    differing = (RESPONSE.replace(b"nginx", b"%d" % number) for number in count())
    alike, differ = (uvloop.run(measure(turns, answers)) * 1e6 for answers in (repeat(RESPONSE), differing))
    whole, slice_ = uvloop.run(measure_page())
    print(
        f"{alike:.1f} µs a request ({differ:.1f} where no two answers have the same head), "
        f"a metrics page of {CALLED:,} called functions {whole * 1e3:.0f} ms in slices of {slice_ * 1e3:.2f} ms (p99),"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
