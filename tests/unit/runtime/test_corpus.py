"""The HTTP corpus, bytes in and events out, by both of the runtime's parsers: the same verdicts on all."""

import asyncio
import gc
import weakref

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.http.case import GET, HELLO, HOST, SMUGGLED, Request
from corpus.http.corpus import CASES
from corpus.http.upgrade import H2C
from corpus.http.wire import cut, play
from wick_runtime.call.request import split
from wick_runtime.http.connection import Connection
from wick_runtime.http.message.parser import choose
from wick_runtime.http.server import Server, ServerSettings
from wick_runtime.ipc.shared_table import SharedTable

PARSERS = ("httptools", "python")
LONG = 5_000
"""Bytes of a case above which it is not sent byte by byte."""


TABLE = SharedTable()


class Function:
    """Takes every request once its body is there, and answers it at once."""

    hold = 1 << 30
    max_body = 1 << 20

    def __init__(self):
        self.requests = []

    def admit(self, _exchange):
        return None

    def begin(self, exchange):
        path, query = split(exchange.target)
        self.requests.append(Request(exchange.method, (path + query).decode(), exchange.take_body()))
        exchange.respond(200, [], b"")

    def release(self, exchange):
        pass


async def verdict(parser, pieces):
    """What reached the function, and the statuses that the client got."""
    function = Function()
    server = Server(function, choose(parser), TABLE, ServerSettings())
    statuses, closed = await play(Connection(server), pieces)
    if server._sweeper is not None:
        server._sweeper.cancel()
    return tuple(function.requests), statuses, closed


def expected(case):
    return case.requests, [200] * len(case.requests) + ([case.status] if case.status else [])


@pytest.mark.parametrize("name", CASES)
async def test_a_case_is_read_as_the_corpus_says(name):
    for parser in PARSERS:
        requests, statuses, closed = await verdict(parser, [CASES[name].data])
        assert (parser, requests, statuses) == (parser, *expected(CASES[name]))
        assert closed or not CASES[name].status


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("first", [1000, 40_000, 65_000])
async def test_a_head_over_the_limit_is_refused_in_however_few_pieces_it_comes(parser, first):
    data = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n"
    requests, statuses, closed = await verdict(parser, [data[:first], data[first:]])
    assert (requests, statuses, closed) == ((), [431], True)


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("name", CASES)
async def test_a_connection_that_has_ended_is_freed_without_the_garbage_collector(parser, name):
    server = Server(Function(), choose(parser), TABLE, ServerSettings())
    connection = Connection(server)
    ended = weakref.ref(connection)
    gc.disable()
    try:
        _, refused = await play(connection, [CASES[name].data])
        del connection
        assert refused or ended() is None, "a refused one is kept for a moment, to be cut"
    finally:
        gc.enable()
        if server._sweeper is not None:
            server._sweeper.cancel()


@pytest.mark.parametrize("parser", PARSERS)
async def test_a_case_is_read_the_same_byte_by_byte(parser):
    for name, case in CASES.items():
        if len(case.data) < LONG:
            requests, statuses, _ = await verdict(parser, cut(case.data, [1]))
            assert (requests, statuses) == expected(case), name


def assert_agree(quick, slow):
    """The same verdict; llhttp refuses a line within it, our own parser at its end, which may not have come."""
    undecided = not slow[2] and (slow[0], [*slow[1], 400], True) == quick
    assert quick == slow or undecided


PIECES = st.sampled_from(
    [
        b"GET /a HTTP/1.1\r\n", b"POST /b HTTP/1.1\r\n", b"GET /c HTTP/1.0\r\n", b"GET /d\r\n",
        b"CONNECT /e HTTP/1.1\r\n", HOST, HOST[:-2] + b" \r\n", b"Host: a b\r\n",
        b"\r\n", b"\n", b"\r", b" ", b"\t", b"\x00", b":", b";a=b", b"hello",
        b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content-Length: 11 \r\n", b"Content-Length: -1\r\n",
        b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked \r\n", b"Transfer-Encoding: chunked\t\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding: chunked,\r\n",
        b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Connection: x, upgrade \r\n", b"Upgrade: x\r\n",
        b"Connection: Upgrade\r\n", b"\r\n".join(H2C) + b"\r\n", b"Expect: 100-continue\r\n", b"X: y\r\n", b"X : y\r\n",
        b"5\r\nhello\r\n", b"5;a\r\nhello\r\n", b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"0\r\nContent-Length: 5\r\n\r\n",
        HELLO, SMUGGLED, GET,
        b"POST /f HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello",
        b"POST /g HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + HELLO,
        b"POST /h HTTP/1.1\r\n" + HOST + b"\r\n".join(H2C) + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + HELLO,
    ]
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(PIECES, min_size=1, max_size=9).map(b"".join), st.lists(st.integers(1, 60), min_size=1, max_size=5))
def test_both_parsers_agree_on_any_mixture_however_it_is_cut(data, sizes):
    async def all_verdicts():
        return [await verdict(parser, pieces) for parser in PARSERS for pieces in ([data], cut(data, sizes))]

    whole, pieces, *others = asyncio.run(all_verdicts())
    assert whole == pieces
    for other in others:
        assert_agree(whole, other)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(CASES)), st.integers(0, 200), st.integers(0, 3), st.binary(max_size=3))
def test_both_parsers_agree_on_a_case_with_bytes_exchanged(name, at, gone, noise):
    data = CASES[name].data
    data = data[:at] + noise + data[at + gone :]

    async def both():
        return [await verdict(parser, [data]) for parser in PARSERS]

    assert_agree(*asyncio.run(both()))
