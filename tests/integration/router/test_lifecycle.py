"""Starting, draining and ending; slow clients, limits, Unix sockets, and the admin API."""

import asyncio
import json
from datetime import datetime

import pytest
from static import StaticBackend, function

from cluster.waiting import PATIENCE
from wick_api.names import Key
from wick_api.reason import Reason
from wick_router.config import RouterConfig
from wick_router.router import Router

GET = b"GET /function/default/hello/x HTTP/1.1\r\nHost: any\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HELLO = Key("default", "hello")


async def always(connection):
    while True:
        await connection.head()
        connection.send(OK)


async def websocket(connection):
    await connection.head()
    connection.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    connection.send(b"\x81\x02hi")
    await connection.rest()


async def test_a_drained_router_finishes_what_it_holds_and_closes_politely(world):
    gate = asyncio.Event()

    async def gated(connection):
        await connection.head()
        await gate.wait()
        connection.send(OK)

    await world.serve(gated)
    busy, idle = await world.client(), await world.client()
    busy.send(GET)
    await world.eventually(lambda: world.lane.dispatch.in_flight == 1)
    stopping = asyncio.create_task(world.r.stop(grace=PATIENCE))
    await world.eventually(lambda: not world.r.ready)
    assert await idle.rest() == b""
    gate.set()
    status, head, _ = await busy.answer()
    assert status == 200
    assert b"Connection: close" in head
    await stopping
    with pytest.raises(OSError, match="refused"):
        await world.client()


async def test_while_draining_new_requests_are_served_until_the_delay_is_over(world):
    await world.serve(always)
    stopping = asyncio.create_task(world.r.stop(delay=PATIENCE))
    await world.eventually(lambda: not world.r.ready)
    for _ in range(3):
        status, head, _ = await world.request(GET)
        assert status == 200
        assert b"Connection: close" in head
    assert not stopping.done()
    stopping.cancel()


async def test_a_websocket_gets_a_close_frame_at_the_end_of_grace(world):
    await world.serve(websocket)
    client = await world.client()
    client.send(
        b"GET /function/default/hello HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert b" 101 " in await client.head()
    assert await client.exactly(4) == b"\x81\x02hi"
    await world.r.stop(grace=0.1)
    assert await client.rest() == b"\x88\x02\x03\xe9"


async def test_a_websocket_outlives_the_functions_timeout(world):
    await world.router(function("hello", timeout="60s"))
    world.instances((await world.upstream(websocket)).instance())
    client = await world.client()
    client.send(GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    await client.head()
    await client.exactly(4)
    world.later(61)
    await world.rounds(3)
    assert world.lane.dispatch.in_flight == 1


async def test_a_head_that_never_ends_is_timed_out(world):
    await world.router(header_timeout=0.2)
    client = await world.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
    assert (await client.answer())[0] == 408


async def test_a_body_that_never_ends_is_timed_out(world):
    await world.router(body_timeout=0.2)

    async def patient(connection):
        await connection.rest()

    world.instances((await world.upstream(patient)).instance())
    client = await world.client()
    client.send(b"POST /function/default/hello HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
    assert (await client.answer())[0] == 408
    await world.quiet()


async def test_a_silent_client_is_let_go(world):
    await world.router(idle_timeout=0.2)
    assert await (await world.client()).rest() == b""


async def test_connections_beyond_the_limit_are_closed(world):
    await world.router(connections=2)
    kept = [await world.client() for _ in range(2)]
    await world.eventually(lambda: len(world.r.plane.clients) == 2)
    extra = await world.client()
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await extra.head()
    kept[0].send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await kept[0].answer())[0] == 404


async def test_a_unix_socket_serves_too(world, tmp_path):
    await world.serve(always, unix=str(tmp_path / "router.sock"))
    reader, writer = await asyncio.open_unix_connection(tmp_path / "router.sock")
    writer.write(GET)
    assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
    writer.close()


async def get(port, path):
    """Status and body of the admin API's answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await asyncio.wait_for(reader.read(), PATIENCE)).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body.decode()


async def test_the_admin_api_tells_what_the_router_knows(world):
    await world.serve(always, admin_port=0)
    for _ in range(3):
        await world.request(GET)
    port = world.r.admin_port
    assert await get(port, "/healthz") == (200, "ok\n")
    assert await get(port, "/readyz") == (200, '{"state":"ready"}')
    world.r.plane.synced(in_touch=False)
    assert await get(port, "/readyz") == (200, '{"state":"degraded"}')
    status, body = await get(port, "/api/v1/functions/default/hello")
    told = json.loads(body)
    assert (status, told["state"], told["queued"], told["inFlight"]) == (200, "ready", 0, 0)
    assert [instance["id"] for instance in told["instances"]] == ["a"]
    assert len(json.loads((await get(port, "/api/v1/functions"))[1])["functions"]) == 1
    assert (await get(port, "/api/v1/functions/default/none"))[0] == 404
    assert "/api/v1/functions" in (await get(port, "/openapi.json"))[1]
    world.instances()
    world.r.plane.failed(HELLO, Reason.QUOTA, "no room")
    told = json.loads((await get(port, "/api/v1/functions/default/hello"))[1])
    assert (told["state"], told["why"]) == ("failed", "QuotaExceeded: no room")


class Silent(StaticBackend):
    """Has not heard from its platform yet."""

    async def run(self, sink):
        self.sink = sink
        await asyncio.Event().wait()


async def test_a_router_that_has_not_seen_the_platform_yet_is_not_ready_and_calls_no_function_unknown():
    backend = Silent([])
    router = Router(RouterConfig(host="127.0.0.1", port=0, admin_host="127.0.0.1", admin_port=0), backend)
    await router.start()
    assert await get(router.admin_port, "/readyz") == (503, '{"state":"starting"}')
    assert await get(router.admin_port, "/healthz") == (200, "ok\n")
    status, body = await get(router.port, "/function/default/hello/")
    assert (status, json.loads(body)["error"]["code"]) == (503, "cannot-start")
    backend.sink.synced(in_touch=True)
    assert await get(router.admin_port, "/readyz") == (200, '{"state":"ready"}')
    assert (await get(router.port, "/function/default/hello/"))[0] == 404
    await router.stop()


async def test_the_admin_api_is_not_on_the_data_port(world):
    await world.serve(always, admin_port=0)
    for path in (b"/metrics", b"/healthz", b"/api/v1/functions"):
        assert (await world.request(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n"))[0] == 404


async def test_the_metrics_page_counts_what_happened(world):
    await world.serve(always, admin_port=0)
    for _ in range(5):
        await world.request(GET)
    await world.request(b"GET /nobody HTTP/1.1\r\nHost: a\r\n\r\n")
    status, page = await get(world.r.admin_port, "/metrics")
    assert status == 200
    lines = page.splitlines()
    assert 'kubewick_function_requests_total{namespace="default",function="hello",revision="r1",code="200"} 5' in lines
    assert 'kubewick_function_in_flight{namespace="default",function="hello"} 0' in lines
    assert 'kubewick_function_refused_total{namespace="",function="",reason="unknown-function"} 1' in lines
    labels = 'namespace="default",function="hello",phase="total"'
    assert f"kubewick_function_request_duration_seconds_count{{{labels}}} 5" in lines


async def test_the_autoscaler_is_poked_when_more_wait_than_the_first_instance_can_take(world):
    poked = []

    async def operator(connection):
        head = await connection.head()
        length = int(head.lower().split(b"content-length:")[1].split()[0])
        poked.append(json.loads(await connection.exactly(length)))
        connection.send(OK)

    upstream = await world.upstream(operator)
    await world.router(function("hello", concurrency=2), poke_host="localhost", poke_port=upstream.port)
    [lane] = world.r.plane.upstreams.values()
    for waiting in (1, 2):
        (await world.client()).send(GET)
        await world.eventually(lambda waiting=waiting: len(lane.dispatch.queue) == waiting)
    assert lane.notified_depth == 0
    (await world.client()).send(GET)
    await world.eventually(lambda: poked)
    assert poked == [{"functions": ["default/hello"]}]
    await world.eventually(lambda: world.r.plane.notifier.outcomes["sent"] >= 1)


async def test_requests_are_logged_as_json_lines(world, tmp_path):
    from wick_router.proxy.access_log import AccessLog

    await world.serve(always)
    with (tmp_path / "log").open("wb") as stream:
        world.r.plane.access = AccessLog(1.0, stream)
        await world.request(GET)
        await asyncio.to_thread(world.r.plane.access.stop)
        world.r.plane.access = None
    line = json.loads((tmp_path / "log").read_text())
    assert (line["status"], line["method"], line["path"]) == (200, "GET", "/x")
    assert (line["namespace"], line["function"], line["level"]) == ("default", "hello", "info")
    assert datetime.fromisoformat(line["time"]).tzinfo is not None
