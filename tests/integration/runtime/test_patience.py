"""How long a client may keep a connection without a whole request on it."""

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
