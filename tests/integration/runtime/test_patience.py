"""How long a client may keep a connection without a whole request on it."""

import contextlib

import pytest

CODE = "{kind} handle():\n    return 'ok'\n"


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_head_that_takes_too_long_is_408_and_others_are_served_meanwhile(start, variant, kind):
    instance = start(CODE.format(kind=kind), KUBEWICK_HEAD_TIMEOUT=1, **variant)
    slow = instance.connect()
    slow.sendall(b"GET / HTTP/1.1\r\nHo")
    assert instance.request("/").status == 200
    answer = b""
    while piece := slow.recv(65536):
        answer += piece
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answer
    slow.close()


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_kept_connection_that_rests_too_long_is_closed(start, variant, kind):
    instance = start(CODE.format(kind=kind), KUBEWICK_IDLE_TIMEOUT=1, **variant)
    sock = instance.connect()
    sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert sock.recv(1) == b""
    sock.close()


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize(
    "framing", [b"Content-Length: 100\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"]
)
def test_a_body_that_takes_too_long_is_408_and_gives_its_place_back(start, variant, kind, framing):
    instance = start(CODE.format(kind=kind), KUBEWICK_HEAD_TIMEOUT=1, KUBEWICK_CONCURRENCY=1, **variant)
    with instance.connect() as slow:
        slow.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + framing)
        answer = b""
        while piece := slow.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answer
    assert instance.request("/").status == 200


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_body_that_drips_beyond_its_deadline_is_408(start, variant, kind):
    instance = start(CODE.format(kind=kind), KUBEWICK_HEAD_TIMEOUT=4, KUBEWICK_TIMEOUT=1, **variant)
    with instance.connect() as slow:
        slow.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        slow.settimeout(0.1)
        answer = b""
        for _ in range(900):
            slow.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                answer = slow.recv(65536)
                break
    assert answer.startswith(b"HTTP/1.1 408 ")
