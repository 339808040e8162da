"""Request bodies: every byte arrives, and what a function leaves unread costs its connection nothing."""

import itertools

import pytest

from cluster import uploads
from cluster.uploads import FORMS, READS, connect, data, upload
from cluster.waiting import eventually

SIZES = (262_144, 262_145, 300_000, 1_000_000)
"""Around the mark at which a streamed body's connection is no longer read until the handler catches up."""
HANG = 10.0
"""Seconds; an instance whose connections are idle ends within one, and one with a stuck connection after its grace."""


@pytest.fixture(params=FORMS)
def instance(request, start, variant):
    return start(uploads.CODE, KUBEWICK_HANDLER=f"main:{request.param}", KUBEWICK_CONCURRENCY=64, **variant)


async def test_a_kept_connection_is_served_after_any_body_and_none_is_left_behind(instance):
    cases = list(itertools.product(READS, SIZES, (0, 0.1), (False, True)))

    async def two_requests(number):
        what, size, seconds, chunked = cases[number]
        client = await connect(instance.port)
        clients.append(client)
        await upload(client, f"/{what}/{seconds}", data(size), chunked=chunked)
        await upload(client, "/all/0", b"next")

    clients = []
    await uploads.together(len(cases), two_requests)
    for client in clients[::2]:
        await client.close()
    eventually(lambda: uploads.half_closed(instance.pids()) == 0)
    instance.terminate()
    assert instance.process.wait(HANG) == 0
    for client in clients[1::2]:
        await client.close()


async def test_every_byte_of_forty_uploads_at_once_arrives(instance):
    async def one(number):
        client = await connect(instance.port)
        for size in (1 << 20, 65_537):
            await upload(client, "/all/0.05", data(size, number), chunked=bool(number % 2))
        await client.close()

    await uploads.together(40, one)


STALL = b"POST /nothing/0 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 300_000
STREAMED = pytest.mark.parametrize("form", ["streaming", "streaming_async", "asgi", "wsgi"])


@pytest.fixture
def begin(start, variant):
    return lambda form, **env: start(uploads.CODE, KUBEWICK_HANDLER=f"main:{form}", **variant, **env)


def head_of(sock):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        assert piece, data
        data += piece
    return data.partition(b"\r\n\r\n")[0].lower()


@STREAMED
def test_a_client_that_never_ends_an_answered_request_does_not_hold_up_the_end(begin, form):
    instance = begin(form)
    with instance.connect() as sock:
        sock.sendall(STALL)
        assert b" 200 " in head_of(sock)
        instance.terminate()
        assert instance.process.wait(HANG) == 0


@STREAMED
def test_a_client_that_never_ends_an_answered_request_is_cut_off(begin, form):
    instance = begin(form, KUBEWICK_HEAD_TIMEOUT=0.2)
    with instance.connect() as sock:
        sock.sendall(STALL)
        assert b" 200 " in head_of(sock)
        while sock.recv(65536):
            continue


@STREAMED
def test_nonsense_in_the_unread_rest_of_a_body_ends_the_connection(begin, form):
    instance = begin(form)
    with instance.connect() as sock:
        sock.sendall(
            b"POST /nothing/0 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n11000\r\n" + b"x" * 69_632
        )
        if form != "wsgi":  # whose application begins when a chunked body is whole
            assert b" 200 " in head_of(sock)
        sock.sendall(b"\r\nnonsense\r\n")
        if form == "wsgi":
            assert b" 400 " in head_of(sock)
        while sock.recv(65536):
            continue


@STREAMED
def test_too_much_to_drop_closes_the_connection_behind_the_answer(begin, form):
    instance = begin(form)
    with instance.connect() as sock:
        sock.sendall(STALL.replace(b"1000000", b"9000000"))
        assert b"connection: close" in head_of(sock)
        while sock.recv(65536):
            continue


def test_an_asgi_application_that_has_answered_is_told_disconnect_not_kept_waiting(start, variant):
    code = """
        async def app(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            print((await receive())["type"])
    """
    instance = start(code, KUBEWICK_HANDLER="main:app", KUBEWICK_INTERFACE="asgi", **variant)
    with instance.connect() as sock:
        sock.sendall(STALL)
        head_of(sock)
        eventually(lambda: any(line["message"] == "http.disconnect" for line in instance.lines))


def test_a_stream_kept_beyond_its_request_takes_nothing_of_the_next(start, variant):
    code = """
        kept = []
        def handle(request: "StreamingRequest"):
            stream = request.stream()
            first = next(stream)
            kept.append(stream)
            return [len(first), sum(map(len, kept[0])) if len(kept) > 1 else -1, sum(map(len, stream))]
    """
    instance = start(code, KUBEWICK_CONCURRENCY=1, **variant)
    with instance.connect() as sock:
        for _ in range(2):
            sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
            assert b" 200 " in head_of(sock)
    assert instance.request("/", "POST", b"x" * 100_000).json[1] in (0, -1)
