"""What a request's head means to the router, and what its instance reads of it."""

import asyncio
import sys
from pathlib import Path

import pytest

from corpus.http.wire import Transport
from wick_router.config import RouterConfig
from wick_router.proxy import request_head
from wick_router.proxy.client_connection import ClientConnection
from wick_router.proxy.data_plane import DataPlane
from wick_router.proxy.exchange import ProxyExchange

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks" / "router"))
from static import StaticBackend, function

TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def send(*lines, request=b"GET /x HTTP/1.1", host=b"hello.default", **spec):
    """A request with these header lines at a router with the function `hello`, which has no instance.

    The exchange that waits for one, or None, and the status of the router's answer, or 0.
    """
    hello = function("hello", **spec)
    plane = DataPlane(RouterConfig(port=0, admin_port=-1), StaticBackend([hello]))
    plane.synced(in_touch=True)
    plane.function(hello)
    await asyncio.sleep(0)
    client, transport = ClientConnection(plane, b"http", public=False), Transport()
    try:
        client.connection_made(transport)
        client.data_received(b"".join(line + b"\r\n" for line in (request, b"Host: " + host, *lines)) + b"\r\n")
        await asyncio.sleep(0)
        return next(iter(plane.live), None), int(transport.written()[9:12] or 0)
    finally:
        transport.release()


async def arrive(*lines, **how):
    """The exchange that waits."""
    return (await send(*lines, **how))[0]


def lines_of(exchange):
    """The header lines that the instance reads, by name in lower case."""
    lines = exchange.head(0.0).split(b"\r\n")[1:-2]
    found = {}
    for line in lines:
        name, _, value = line.partition(b": ")
        found.setdefault(name.lower(), []).append(value)
    return found


async def test_a_well_formed_trace_is_continued_with_its_state():
    lines = lines_of(await arrive(b"traceparent: " + TRACE, b"tracestate: a=1", b"tracestate: b=2"))
    assert (lines[b"traceparent"], lines[b"tracestate"]) == ([TRACE], [b"a=1, b=2"])


@pytest.mark.parametrize(
    "trace",
    [
        (),
        (TRACE + b"-more",),
        (TRACE.upper(),),
        (TRACE[:-1],),
        (TRACE.replace(b"00-", b"ff-", 1),),
        (b"00-" + b"0" * 32 + TRACE[35:],),
        (TRACE[:36] + b"0" * 16 + TRACE[52:],),
        (TRACE, TRACE),
        (b"",),
    ],
)
async def test_the_state_of_a_trace_goes_with_a_traceparent_that_is_none(trace):
    lines = lines_of(await arrive(*(b"traceparent: " + each for each in trace), b"tracestate: a=1"))
    assert b"tracestate" not in lines
    [made] = lines[b"traceparent"]
    assert made != TRACE
    assert len(made) == len(TRACE)


async def test_the_trace_of_a_later_version_is_passed_on_with_what_it_has_more():
    later = TRACE.replace(b"00-", b"01-", 1) + b"-more"
    lines = lines_of(await arrive(b"traceparent: " + later, b"tracestate: a=1"))
    assert (lines[b"traceparent"], lines[b"tracestate"]) == ([later], [b"a=1"])


async def test_white_space_around_a_value_reaches_no_instance():
    lines = lines_of(await arrive(b"X-A:  \t a b \t ", b"X-B: \t ", b"X-Request-Id:  mine \t"))
    assert (lines[b"x-a"], lines[b"x-b"], lines[b"x-request-id"]) == ([b"a b"], [b""], [b"mine"])


@pytest.mark.parametrize(
    ("read", "status"),
    [
        ({b"content-length": b"+5"}, 400),
        ({b"content-length": b"5", b"transfer-encoding": b"chunked"}, 400),
        ({b"transfer-encoding": b"gzip, chunked"}, 400),
        ({b"expect": b"miracles"}, 417),
    ],
)
async def test_a_head_that_two_readers_could_take_for_two_lengths_is_refused(read, status):
    assert request_head.framing(ProxyExchange(None, b"POST", 0.0), read).code == status


@pytest.mark.parametrize(
    ("fields", "upgrade"),
    [
        ({b"upgrade": b"websocket"}, b""),
        ({b"upgrade": b"websocket", b"connection": b"keep-alive, Upgrade"}, b"websocket"),
        ({b"upgrade": b"h2c", b"connection": b"upgrade"}, b""),
        ({b"upgrade": b"a, b", b"connection": b"upgrade"}, b""),
        ({b"upgrade": b"echo", b"connection": b"upgrade", b"content-length": b"5"}, b""),
        ({b"upgrade": b"echo", b"connection": b"upgrade", b"transfer-encoding": b"chunked"}, b""),
        ({b"upgrade": b"echo", b"connection": b"upgrade", b"content-length": b"0"}, b"echo"),
    ],
)
async def test_another_protocol_is_offered_only_where_connection_says_so_and_no_body_follows(fields, upgrade):
    exchange = ProxyExchange(None, b"GET", 0.0)
    assert request_head.framing(exchange, fields) is None
    assert exchange.upgrade == upgrade


async def test_an_offer_in_http_1_0_is_ignored():
    exchange = await arrive(b"Connection: Upgrade", b"Upgrade: websocket", request=b"GET /x HTTP/1.0")
    assert exchange.upgrade == b""


async def test_fields_that_connection_names_are_for_this_connection_only():
    lines = lines_of(await arrive(b"Connection: x-a, tracestate", b"X-A: 1", b"X-B: 2", b"traceparent: " + TRACE))
    assert b"x-a" not in lines
    assert lines[b"x-b"] == [b"2"]


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"request": b"CONNECT /x HTTP/1.1"}, 501),
        ({"request": b"GET * HTTP/1.1"}, 400),
        ({"request": b"GET /x#y HTTP/1.1"}, 400),
        ({"host": b"hello default"}, 400),
        ({"host": b"nobody.default"}, 404),
    ],
)
async def test_a_request_that_is_nobodys_is_refused_before_its_turn(how, status):
    assert await send(**how) == (None, status)


async def test_a_body_that_is_told_larger_than_its_function_takes_is_refused_at_its_head():
    sent = await send(b"Content-Length: 1025", request=b"POST /x HTTP/1.1", maxRequestBytes=1024)
    assert sent == (None, 413)
