"""What a client gets for what an instance does, over real sockets."""

import asyncio
import json

import pytest

GET = b"GET /function/default/hello/x HTTP/1.1\r\nHost: any\r\n\r\n"
POST = b"POST /function/default/hello HTTP/1.1\r\nHost: a\r\n"
PUT = POST.replace(b"POST", b"PUT")
UPGRADE = b"GET /function/default/hello HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def once(response, *, then="close"):
    """A script: read one head, answer these bytes, and close, reset or hang."""

    async def script(connection):
        await connection.head()
        connection.send(response)
        await connection.writer.drain()
        if then == "hang":
            await asyncio.sleep(30)
        elif then == "reset":
            connection.reset()
        else:
            await connection.close()

    return script


def always(response):
    async def script(connection):
        while True:
            await connection.head()
            connection.send(response)

    return script


async def test_connections_are_kept_on_both_sides(world):
    upstream = await world.serve(always(OK))
    client = await world.client()
    for _ in range(5):
        client.send(GET)
        assert (await client.answer())[0] == 200
    assert len(upstream.connections) == 1
    await world.quiet()


async def test_pipelined_requests_are_answered_in_order(world):
    async def echo_path(connection):
        while True:
            path = (await connection.head()).split()[1]
            await asyncio.sleep(0.001 if path == b"/9" else 0)
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path))

    await world.serve(echo_path)
    client = await world.client()
    client.send(b"".join(b"GET /function/default/hello/%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(30)))
    assert [(await client.answer())[2] for _ in range(30)] == [b"/%d" % n for n in range(30)]
    await world.quiet()


async def test_pipelined_bodies_keep_their_bounds(world):
    async def echo(connection):
        while True:
            head = await connection.head()
            length = int(head.lower().split(b"content-length:")[1].split()[0])
            body = await connection.exactly(length)
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (length, body))

    await world.serve(echo)
    client = await world.client()
    bodies = [bytes([65 + n]) * n * 1000 for n in range(20)]
    for body in bodies:
        client.send(POST + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    assert [(await client.answer())[2] for _ in bodies] == bodies
    await world.quiet()


async def test_a_chunked_answer_stays_chunked_with_its_trailers(world):
    await world.serve(
        always(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
            b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\nSet-Cookie: a=b\r\n\r\n"
        )
    )
    client = await world.client()
    client.send(GET)
    head = await client.head()
    assert b"Transfer-Encoding: chunked" in head
    assert await client.until(b"0\r\nX-Sum: 5\r\n\r\n") == b"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n"
    client.send(GET)
    assert (await client.head()).startswith(b"HTTP/1.1 200")


async def test_a_chunked_request_arrives_chunked_with_its_trailers(world):
    got = asyncio.get_running_loop().create_future()

    async def script(connection):
        head = await connection.head()
        got.set_result((head, await connection.until(b"X-T: 1\r\n\r\n")))
        connection.send(OK)

    await world.serve(script)
    client = await world.client()
    client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel")
    await asyncio.sleep(0.02)
    client.send(b"lo\r\n0\r\nX-T: 1\r\nHost: evil\r\n\r\n")
    assert (await client.answer())[0] == 200
    head, body = await got
    assert b"Transfer-Encoding: chunked" in head
    assert body in (b"3\r\nhel\r\n2\r\nlo\r\n0\r\nX-T: 1\r\n\r\n", b"5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n")


async def test_http_1_0_gets_an_answer_without_chunks_that_ends_with_the_connection(world):
    await world.serve(always(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
    client = await world.client()
    client.send(b"GET /function/default/hello HTTP/1.0\r\n\r\n")
    answer = await client.rest()
    assert b"Transfer-Encoding" not in answer
    assert answer.endswith(b"\r\n\r\nabc")


async def test_an_answer_until_close_is_complete_when_the_instance_closes(world):
    await world.serve(once(b"HTTP/1.1 200 OK\r\n\r\nabc"))
    client = await world.client()
    client.send(GET)
    assert b"chunked" in await client.head()
    assert await client.until(b"0\r\n\r\n") == b"3\r\nabc\r\n0\r\n\r\n"


async def test_an_answer_until_close_that_is_reset_is_broken_off(world):
    await world.serve(once(b"HTTP/1.1 200 OK\r\n\r\nabc", then="reset"))
    client = await world.client()
    client.send(GET)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await client.until(b"0\r\n\r\n")


async def test_head_has_the_length_and_no_body(world):
    await world.serve(always(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"))
    client = await world.client()
    for _ in range(3):
        client.send(GET.replace(b"GET", b"HEAD"))
        assert b"Content-Length: 1000" in await client.head()
    await world.quiet()


@pytest.mark.parametrize("status", [204, 304])
async def test_statuses_without_a_body_have_none(world, status):
    await world.serve(always(b"HTTP/1.1 %d X\r\n\r\n" % status))
    client = await world.client()
    for _ in range(2):
        client.send(GET)
        assert (await client.head()).startswith(b"HTTP/1.1 %d " % status)


async def test_interim_answers_do_not_end_the_exchange(world):
    await world.serve(always(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK))
    client = await world.client()
    for _ in range(2):
        client.send(GET)
        assert b"103 Early Hints\r\nLink: </a>" in await client.head()
        assert (await client.answer())[2] == b"ok"


async def test_a_flood_of_interim_answers_is_an_error(world):
    await world.serve(once(b"HTTP/1.1 102 Processing\r\n\r\n" * 10_000, then="hang"))
    assert (await world.request(GET))[0] == 502
    await world.quiet()


async def test_expect_100_continue_is_answered_when_there_is_an_instance(world):
    await world.serve(always_after_body(OK, 5))
    client = await world.client()
    client.send(POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"hello")
    assert (await client.answer())[0] == 200


def always_after_body(response, length):
    async def script(connection):
        while True:
            await connection.head()
            await connection.exactly(length)
            connection.send(response)

    return script


async def test_a_counted_answer_that_ends_early_is_broken_off(world):
    await world.serve(once(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"))
    client = await world.client()
    client.send(GET)
    await client.head()
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await client.exactly(100)
    await world.quiet()


async def test_bytes_beyond_the_length_do_not_reach_the_client(world):
    await world.serve(always(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"))
    client = await world.client()
    for _ in range(3):
        client.send(GET)
        assert (await client.answer())[2] == b"ok"
    await world.quiet()


async def test_bytes_nobody_asked_for_close_the_pooled_connection(world):
    async def script(connection):
        await connection.head()
        connection.send(OK)
        await connection.writer.drain()
        await asyncio.sleep(0.02)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        await connection.head()

    upstream = await world.serve(script)
    assert (await world.request(GET))[2] == b"ok"
    await world.eventually(lambda: not world.r.plane.instance_connections)
    assert (await world.request(GET))[2] == b"ok"
    assert len(upstream.connections) == 2


@pytest.mark.parametrize(
    "garbage",
    [
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxx",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"",
    ],
)
async def test_an_answer_that_is_no_http_is_a_502(world, garbage):
    await world.serve(once(garbage))
    status, _, body = await world.request(GET)
    assert status == 502
    assert json.loads(body)["error"]["code"] == "instance-failed"
    await world.quiet()


async def test_an_early_answer_during_an_upload_reaches_the_client(world):
    await world.serve(once(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", then="hang"))
    client = await world.client()
    client.send(POST + b"Content-Length: 1000000\r\n\r\n" + b"x" * 1000)
    status, head, body = await client.answer()
    assert (status, body) == (403, b"no")
    assert b"Connection: close" in head
    client.send(b"y" * 100_000)
    assert await client.rest() == b""
    await world.quiet()


async def test_large_bodies_pass_whole_in_both_directions(world):
    async def echo(connection):
        while True:
            head = await connection.head()
            length = int(head.lower().split(b"content-length:")[1].split()[0])
            body = await connection.exactly(length)
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (length, body))

    await world.serve(echo)
    body = bytes(range(256)) * 20_000
    client = await world.client()
    for _ in range(2):
        client.send(PUT + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        assert (await client.answer())[2] == body
    await world.quiet()


async def test_a_client_that_reads_nothing_stops_the_instance_not_the_memory(world):
    sent = 0

    async def endless(connection):
        nonlocal sent
        await connection.head()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await connection.writer.drain()
            sent += 65536

    await world.serve(endless)
    client = await world.client()
    client.writer.transport.pause_reading()
    client.send(GET)
    before = -1
    while before != sent:
        before = sent
        await asyncio.sleep(0.1)
    assert sent < 32 * 1024 * 1024
    client.reset()
    await world.quiet()


async def test_an_upgrade_is_spliced_both_ways(world):
    async def script(connection):
        await connection.head()
        connection.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhi ")
        while data := await connection.reader.read(100):
            connection.send(data.upper())

    await world.serve(script)
    client = await world.client()
    client.send(UPGRADE + b"abc")
    assert (await client.head()).startswith(b"HTTP/1.1 101")
    assert await client.exactly(6) == b"hi ABC"
    client.send(b"def")
    assert await client.exactly(3) == b"DEF"
    assert world.lane.dispatch.in_flight == 1
    await client.close()
    await world.quiet()
    assert not world.r.plane.tunnels


async def test_a_request_goes_before_the_bytes_behind_it_however_hasty_the_instance_switches(world):
    kept = asyncio.get_running_loop().create_future()

    async def script(connection):
        await connection.head()
        connection.send(OK)
        kept.set_result(connection)
        await asyncio.Event().wait()

    await world.serve(script)
    client = await world.client()
    client.send(GET)
    await client.answer()
    instance = await kept
    client.send_now(UPGRADE + b"tail")  # and in the same turn of the router's loop, before it could have been read:
    instance.send_now(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    assert (await client.head()).startswith(b"HTTP/1.1 101")
    assert (await instance.head()).startswith(b"GET ")
    assert await instance.exactly(4) == b"tail"


async def test_an_upgrade_that_is_not_taken_leaves_the_connection_to_http(world):
    await world.serve(always(OK))
    client = await world.client()
    client.send(UPGRADE + GET)
    assert (await client.answer())[2] == b"ok"
    assert (await client.answer())[2] == b"ok"
    await world.quiet()


async def echo(connection):
    """Answers with each request's first line and body."""
    while True:
        head = await connection.head()
        length = [
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        ]
        said = head.split(b" HTTP")[0] + b"|" + (await connection.exactly(length[0]) if length else b"")
        assert b"upgrade" not in head.lower()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))


ASKING = [b"Upgrade\r\nUpgrade: echo", b"Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ"]


@pytest.mark.parametrize("asking", ASKING, ids=["echo", "h2c, as Java's client asks with each first request"])
@pytest.mark.parametrize("after", [b"", GET], ids=["alone", "another behind it"])
async def test_the_body_of_a_request_that_asks_for_an_upgrade_is_its_body_and_no_request(world, asking, after):
    await world.serve(echo)
    head = POST + b"Connection: %b\r\nContent-Length: %d\r\n\r\n" % (asking, len(GET))
    whole = head + GET + after
    wanted = [b"POST /|" + GET, *([b"GET /x|"] if after else [])]
    for cut in (0, len(head) - 1, len(head), len(head) + 1, len(head) + len(GET), len(whole) - 1):
        client = await world.client()
        client.send_now(whole[:cut])
        await asyncio.sleep(0)
        client.send_now(whole[cut:])
        assert [(await client.answer())[2] for _ in wanted] == wanted
        client.send(GET)
        assert (await client.answer())[2] == b"GET /x|"
        await client.close()
    await world.quiet()


async def test_an_upgrade_behind_a_request_in_flight_keeps_its_body(world):
    await world.serve(echo)
    client = await world.client()
    asking = POST + b"Connection: %b\r\nContent-Length: %d\r\n\r\n" % (ASKING[0], len(GET))
    client.send(GET + asking + GET + GET)
    assert [(await client.answer())[2] for _ in range(3)] == [b"GET /x|", b"POST /|" + GET, b"GET /x|"]
    await world.quiet()


@pytest.mark.parametrize("asking", ASKING, ids=["echo", "h2c"])
@pytest.mark.parametrize("after", [b"", GET], ids=["alone", "another behind it"])
async def test_the_chunked_body_of_a_request_that_asks_for_an_upgrade_is_its_body_and_no_request(world, asking, after):
    await world.serve(echo_chunked)
    head = POST + b"Connection: %b\r\nTransfer-Encoding: chunked\r\n\r\n" % asking
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(GET), GET)
    whole = head + chunks + after
    wanted = [b"POST /|" + GET, *([b"GET /x|"] if after else [])]
    for cut in (0, len(head) - 1, len(head), len(head) + 3, len(head + chunks) - 1, len(head + chunks), len(whole) - 1):
        client = await world.client()
        client.send_now(whole[:cut])
        await asyncio.sleep(0)
        client.send_now(whole[cut:])
        assert [(await client.answer())[2] for _ in wanted] == wanted
        client.send(GET)
        assert (await client.answer())[2] == b"GET /x|"
        await client.close()
    await world.quiet()


async def echo_chunked(connection):
    while True:
        head = await connection.head()
        body = b""
        if b"transfer-encoding: chunked" in head.lower():
            while size := int(await connection.until(b"\r\n"), 16):
                body += (await connection.exactly(size + 2))[:-2]
            await connection.until(b"\r\n")
        said = head.split(b" HTTP")[0] + b"|" + body
        assert b"upgrade" not in head.lower()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))


async def test_http2_is_not_smuggled_in_by_an_upgrade(world):
    upstream = await world.serve(always(OK))
    heads = []
    upstream.script = recording(heads)
    client = await world.client()
    client.send(
        b"GET /function/default/hello HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"
    )
    assert (await client.answer())[0] == 200
    assert b"upgrade" not in heads[0].lower()
    assert b"http2" not in heads[0].lower()


def recording(heads):
    async def script(connection):
        while True:
            heads.append(await connection.head())
            connection.send(OK)

    return script


async def test_internal_headers_leak_neither_in_nor_out(world):
    heads = []
    upstream = await world.serve(recording(heads))
    client = await world.client()
    client.send(
        b"GET /function/default/hello/p?q=1 HTTP/1.1\r\nHost: a.example:80\r\n"
        b"Kubewick-Attempt: 99\r\nX-Forwarded-For: 6.6.6.6\r\n"
        b"Connection: X-Secret\r\nX-Secret: 1\r\nProxy-Authorization: x\r\nX-Keep: yes\r\nX-Request-Id: mine-1\r\n"
        b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n"
    )
    _, head, _ = await client.answer()
    lines = dict(line.split(b": ", 1) for line in heads[0].strip().split(b"\r\n")[1:])
    assert heads[0].startswith(b"GET /p?q=1 HTTP/1.1\r\n")
    assert lines[b"Kubewick-Attempt"] == b"1"
    assert lines[b"X-Forwarded-For"] == b"127.0.0.1"
    assert lines[b"X-Forwarded-Prefix"] == b"/function/default/hello"
    assert lines[b"Forwarded"] == b'for=127.0.0.1;host="a.example:80";proto=http'
    assert lines[b"X-Keep"] == b"yes"
    assert lines[b"Traceparent"] == b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert lines[b"X-Request-Id"] == b"mine-1"
    assert b"X-Secret" not in lines
    assert b"Proxy-Authorization" not in lines
    assert b"X-Request-Id: mine-1\r\n" in head
    upstream.script = always(
        b"HTTP/1.1 200 OK\r\nKubewick-Deadline-Ms: 1\r\nKeep-Alive: 5\r\nContent-Length: 0\r\n\r\n"
    )
    for connection in upstream.connections:
        await connection.close()
    _, head, _ = await world.request(GET)
    assert b"Kubewick" not in head
    assert b"Keep-Alive" not in head


async def test_an_instance_s_own_request_id_is_the_answer_s_only_one(world):
    await world.serve(always(b"HTTP/1.1 200 OK\r\nX-Request-Id: own\r\nDate: d\r\nContent-Length: 0\r\n\r\n"))
    client = await world.client()
    for _ in range(3):  # the second and third by a head that is remembered
        client.send(b"GET /function/default/hello/ HTTP/1.1\r\nHost: a\r\nX-Request-Id: theirs\r\n\r\n")
        _, head, _ = await client.answer()
        lines = head.lower().split(b"\r\n")
        assert [line for line in lines if line.startswith(b"x-request-id")] == [b"x-request-id: own"]
        assert lines.count(b"date: d") == 1


async def test_an_instance_s_426_tells_the_client_what_to_upgrade_to(world):
    await world.serve(
        always(
            b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nContent-Length: 2\r\n\r\nno"
        )
    )
    client = await world.client()
    shake = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n"
    client.send(b"GET /function/default/hello/ HTTP/1.1\r\nHost: a\r\n" + shake + b"\r\n")
    _, head, body = await client.answer()
    lines = head.lower().split(b"\r\n")
    assert head.startswith(b"HTTP/1.1 426 ")
    assert body == b"no"
    for line in (b"upgrade: websocket", b"connection: upgrade", b"sec-websocket-version: 13"):
        assert lines.count(line) == 1
