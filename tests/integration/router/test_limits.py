"""What one client or one instance may take: heads, trailers, bodies, time; and what it costs the others."""

import asyncio
import contextlib
import os

import pytest
from static import function

from wick_api.reason import Reason
from wick_router.proxy.access_log import AccessLog

TARGET = b" /function/default/hello/x HTTP/1.1\r\nHost: any\r\n"
GET = b"GET" + TARGET + b"\r\n"
POST = b"POST" + TARGET
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def always(connection):
    while True:
        await connection.head()
        connection.send(OK)


async def reading_on(connection):
    """Takes whatever comes and never answers."""
    while await connection.reader.read(1 << 16):
        pass


async def test_a_head_may_have_so_many_bytes_and_no_more(world):
    await world.serve(always, header_bytes=2048)
    most = 2048 - len(TARGET) - len(b"X: \r\n")
    assert (await world.request(b"GET" + TARGET + b"X: " + b"a" * (most - 40) + b"\r\n\r\n"))[0] == 200
    assert (await world.request(b"GET" + TARGET + b"X: " + b"a" * 2048 + b"\r\n\r\n"))[0] == 431
    await world.quiet()


async def test_a_head_may_have_so_many_fields_and_no_more(world):
    await world.serve(always, header_count=10)
    assert (await world.request(b"GET" + TARGET + b"X: y\r\n" * 10 + b"\r\n"))[0] == 200
    assert (await world.request(b"GET" + TARGET + b"X: y\r\n" * 11 + b"\r\n"))[0] == 431
    await world.quiet()


@pytest.mark.parametrize("piece", [b"X: " + b"a" * 1000 + b"\r\n", b"a" * 1000], ids=["fields", "one endless name"])
async def test_trailers_without_end_are_refused(world, piece):
    await world.serve(reading_on)
    client = await world.client()
    client.send(CHUNKED + b"5\r\nhello\r\n0\r\n")
    for _ in range(400):
        client.send(piece)
    assert (await client.answer())[0] == 431
    await world.quiet()


@pytest.mark.parametrize("piece", [b"X: " + b"a" * 1000 + b"\r\n", b"a" * 1000], ids=["fields", "one endless name"])
async def test_an_instance_whose_trailers_never_end_is_broken_off(world, piece):
    async def endless(connection):
        await connection.head()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n")
        for _ in range(2000):
            connection.send(piece)
            await connection.writer.drain()
        await connection.rest()

    await world.serve(endless)
    client = await world.client()
    client.send(GET)
    await client.head()
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await client.until(b"\r\n0\r\n")
    await world.quiet()


async def test_a_pipelined_body_that_is_too_large_is_refused_in_its_turn(world):
    gate = asyncio.Event()

    async def gated(connection):
        await connection.head()
        await gate.wait()
        connection.send(OK)

    await world.router(function("hello", maxRequestBytes=100))
    world.instances((await world.upstream(gated)).instance())
    client = await world.client()
    client.send(GET + CHUNKED + b"c8\r\n" + b"x" * 200 + b"\r\n0\r\n\r\n")
    await world.eventually(lambda: world.lane.dispatch.in_flight == 1)
    await asyncio.sleep(0.05)
    gate.set()
    assert (await client.answer())[0] == 200
    assert (await client.answer())[0] == 413
    await world.quiet()


async def test_an_instance_that_reads_nothing_stops_the_client_not_the_memory(world):
    stop = asyncio.Event()

    async def deaf(connection):
        connection.writer.transport.pause_reading()
        await stop.wait()

    await world.router(function("hello", maxRequestBytes=10**10))
    world.instances((await world.upstream(deaf)).instance())
    client = await world.client()
    client.send(POST + b"Content-Length: 1000000000\r\n\r\n")
    sent = 0

    async def upload():
        nonlocal sent
        while sent < 10**8:
            client.send(b"x" * (1 << 16))
            await asyncio.wait_for(client.writer.drain(), 0.5)
            sent += 1 << 16

    with pytest.raises(TimeoutError):
        await upload()
    assert sent < 32 * 1024 * 1024
    client.reset()
    await world.quiet()
    stop.set()


async def test_a_client_that_does_not_read_its_answer_is_let_go(world):
    async def endless(connection):
        await connection.head()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await connection.writer.drain()

    upstream = await world.serve(endless, body_timeout=0.3)
    client = await world.client()
    client.writer.transport.pause_reading()
    client.send(GET)
    await world.eventually(lambda: upstream.connections)
    await world.quiet()
    assert not world.r.plane.clients


async def test_what_cannot_start_is_refused_before_its_body_is_asked_for(world):
    await world.router()
    world.r.plane.failed(world.lane.key, Reason.IMAGE_PULL, "no such image")
    status, head, _ = await world.request(POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert (status, b"Connection: close" in head) == (503, True)


async def test_waiting_is_taken_off_what_the_instance_is_given(world):
    heads = []

    async def recording(connection):
        heads.append(await connection.head())
        connection.send(OK)

    await world.router(function("hello", timeout="600s"))
    client = await world.client()
    client.send(GET)
    await world.eventually(lambda: world.lane.dispatch.queue)
    world.later(400)
    world.instances((await world.upstream(recording)).instance())
    assert (await client.answer())[0] == 200
    left = int(heads[0].split(b"Kubewick-Deadline-Ms: ")[1].split()[0])
    assert 0 < left <= 600_000 - 400_000


async def test_a_connection_that_ended_while_it_rested_costs_no_request_anything(world):
    async def once(connection):
        await connection.head()
        connection.send(OK)

    await world.serve(once)
    client = await world.client()
    for _ in range(3):
        client.send(POST + b"Content-Length: 0\r\n\r\n")
        assert (await client.answer())[0] == 200
        await world.eventually(lambda: not world.r.plane.instance_connections)
    assert not world.lane.retries


async def test_what_was_never_sent_is_sent_elsewhere_whatever_its_method(world):
    await world.router()
    _, dead = world.closed("dead")
    world.instances(dead, (await world.upstream(always)).instance("alive"))
    for _ in range(4):
        assert (await world.request(POST + b"Content-Length: 0\r\n\r\n"))[0] == 200
    assert world.lane.retries["unreached"] >= 1
    await world.quiet()


async def test_an_access_log_nobody_reads_delays_no_request(world):
    await world.serve(always)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    with os.fdopen(writing, "wb", buffering=0) as stream:
        world.r.plane.access = log = AccessLog(1.0, stream, backlog=5)
        for _ in range(20):
            assert (await world.request(GET))[0] == 200
        assert log.dropped >= 20 - 5 - 1
        world.r.plane.access = None
        with os.fdopen(reading, "rb") as reader:
            written = asyncio.create_task(asyncio.to_thread(reader.read))
            await asyncio.to_thread(log.stop)
            stream.close()
            assert (await written).count(b"\n") == 20 - log.dropped
