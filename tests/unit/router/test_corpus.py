"""The HTTP corpus, bytes in and events out, by the router: what it passes on and what it refuses."""

import asyncio
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.http.case import Request
from corpus.http.corpus import CASES
from corpus.http.wire import cut, play
from wick_api.names import Key
from wick_router.config import RouterConfig
from wick_router.proxy.client_connection import MAX_PIPELINED, ClientConnection
from wick_router.proxy.data_plane import DataPlane

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks" / "router"))
from static import StaticBackend, function

LONG = 5_000
"""Bytes of a case above which it is not sent byte by byte."""


class Lane:
    """The function `hello`: takes every request, and answers the one at turn once its body is there."""

    key = Key("default", "hello")
    timeout = 60.0
    max_request_bytes = 1 << 20

    def __init__(self):
        self.requests = []
        self.refusals = {}
        self.admitted = []

    def admit(self, exchange, now):
        exchange.deadline = now + self.timeout
        self.admitted.append(exchange)

    def buffer(self, exchange, size):
        exchange.buffered += size

    def unbuffer(self, exchange):
        exchange.buffered = 0

    def settled(self, exchange, _now):
        self.admitted.remove(exchange)

    def answer(self):
        """Play the instance."""
        while whole := [exchange for exchange in self.admitted if exchange.request_done]:
            exchange = whole[0]
            body = b"".join(exchange.body or ())
            self.requests.append(Request(exchange.method.decode(), exchange.target.decode(), body))
            self.heads(exchange)
            exchange.client.write(exchange.response_head(200, b"Content-Length: 0\r\n", []))
            exchange.done(exchange.client.plane.clock())

    def heads(self, exchange):
        """An upgrade is offered to the instance only where no body follows."""
        assert not (exchange.upgrade and (exchange.length or exchange.chunked))


async def verdict(pieces):
    """What reached the function, and the statuses that the client got."""
    hello = function("hello")
    plane = DataPlane(RouterConfig(port=0, admin_port=-1), StaticBackend([hello]))
    plane.function(hello)
    await asyncio.sleep(0)
    lane = plane.upstreams[lane_key] = Lane()
    statuses, closed = await play(ClientConnection(plane, b"http", public=False), pieces, lane.answer)
    assert not lane.admitted, "a request was never settled"
    return tuple(lane.requests), statuses, closed


lane_key = Lane.key


def expected(case):
    return case.requests, [200] * len(case.requests) + ([case.router] if case.router else [])


@pytest.mark.parametrize("name", CASES)
async def test_a_case_is_read_as_the_corpus_says(name):
    requests, statuses, closed = await verdict([CASES[name].data])
    assert (requests, statuses) == expected(CASES[name])
    assert closed or not CASES[name].status


async def test_a_case_is_read_the_same_byte_by_byte():
    for name, case in CASES.items():
        if len(case.data) < LONG:
            requests, statuses, _ = await verdict(cut(case.data, [1]))
            assert (requests, statuses) == expected(case), name


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(CASES)), st.lists(st.integers(1, 60), min_size=1, max_size=5))
def test_a_case_is_read_the_same_however_it_is_cut(name, sizes):
    requests, statuses, _ = asyncio.run(verdict(cut(CASES[name].data, sizes)))
    assert (requests, statuses) == expected(CASES[name])


async def test_64_requests_wait_behind_the_one_that_is_answered_and_the_last_of_them_ends_its_connection():
    requests, statuses, closed = await verdict([CASES["plain"].data * 100])
    assert len(requests) == len(statuses) == 1 + MAX_PIPELINED
    assert closed
