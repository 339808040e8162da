"""A client is read again once nothing stands in the way, and its next request is answered."""

import asyncio
import socket

POST = b"POST /function/default/hello/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SIZE = 200_000


async def test_an_answer_before_the_instance_has_taken_the_whole_body_leaves_the_client_readable(world):
    async def early(connection):
        while True:
            head = await connection.head()
            if b": 0\r\n" not in head:
                connection.writer.transport.pause_reading()
                await waits.wait()
            connection.send(ANSWER)
            if b": 0\r\n" not in head:
                return

    waits = asyncio.Event()
    small = socket.create_server(("127.0.0.1", 0))
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await world.router()
    upstream = await world.upstream(early, listening=small)
    world.instances(upstream.instance())
    client = await world.client()
    client.send(POST % 0)
    assert (await client.answer())[0] == 200
    (kept,) = world.r.plane.instance_connections
    kept.transport.set_write_buffer_limits(high=1000)
    kept.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    client.send(POST % 60_000 + b"x" * 60_000)  # in one read of the router
    await world.eventually(lambda: all(not each.reading for each in world.r.plane.clients))
    waits.set()
    assert (await client.answer())[0] == 200
    client.send(POST % 0)
    assert (await client.answer())[0] == 200


async def test_a_body_that_came_while_its_connection_was_dialled_is_no_longer_charged_or_held(world):
    async def script(connection):
        while True:
            await connection.head()
            await connection.exactly(SIZE)
            connection.send(ANSWER)

    await world.serve(script, queue_bytes=1000)
    client = await world.client()
    client.send(POST % SIZE + b"x" * 60_000)
    client.send(b"x" * (SIZE - 60_000))
    assert (await client.answer())[0] == 200
    await world.quiet()
