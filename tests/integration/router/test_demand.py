"""What the autoscaler reads of a real router, over the wire."""

import socket

import aiohttp

from wick_api import header
from wick_api.names import Key
from wick_autoscaler.decisions.demand import REQUESTS, Reading

HELLO = Key("default", "hello")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NAMES = [("name[]", "kubewick_function_requests_total"), ("name[]", "kubewick_function_inflight_seconds_total")]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def scrape(world, names):
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{world.r.admin_port}/metrics", params=names) as answer,
    ):
        return await answer.read(), float(answer.headers[header.CLOCK])


async def serve(connection):
    while True:
        await connection.head()
        connection.send(OK)


async def test_the_autoscaler_gets_the_families_it_asks_for_and_counts_them(world):
    await world.serve(serve, admin_port=0)
    await world.eventually(lambda: listens(world.r.admin_port))
    reading = Reading()
    text, began = await scrape(world, NAMES)
    reading.feed(text)
    for _ in range(3):
        await world.request(b"GET /function/default/hello/ HTTP/1.1\r\nHost: a\r\n\r\n")
    text, ended = await scrape(world, NAMES)
    assert ended > began
    assert reading.feed(text)[HELLO][REQUESTS] == 3
    families = {line.split()[2] for line in text.decode().splitlines() if line.startswith("# TYPE")}
    assert families == {name for _, name in NAMES}
    assert b"kubewick_function_request_duration_seconds_bucket" in (await scrape(world, []))[0]
