"""One call to a pod's control port."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.stream_server import stream_server
from wick_kube.control_port import LONGEST_ANSWER, ControlPortBroken, parse, post

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\ncontent-length: 15\r\n\r\n{"state": "on"}'


@given(st.integers(0, len(ANSWER)), st.binary(max_size=20))
def test_an_answer_is_had_as_soon_as_it_is_whole_and_not_before(read, more):
    assert parse(ANSWER[:read]) == ((200, b'{"state": "on"}') if read == len(ANSWER) else None)
    assert parse(ANSWER + more) == (200, b'{"state": "on"}')


@pytest.mark.parametrize(
    "read",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"x" * (LONGEST_ANSWER + 1),
    ],
    ids=["not HTTP", "HTTP/1.0", "no status", "chunked", "two lengths", "a length below 0", "endless head"],
)
def test_what_is_no_answer_of_a_runtime_is_refused(read):
    with pytest.raises(ControlPortBroken):
        parse(read)


@pytest.fixture
async def pod():
    """A server that answers each request with what it is told, and keeps what it read."""

    class Pod:
        answer, ends, read = b"", True, b""

    async def serve(reader, writer):
        Pod.read = await reader.readuntil(b"{}")
        writer.write(Pod.answer)
        if Pod.ends:
            writer.close()
        else:
            await reader.read()
            writer.close()

    async with stream_server(serve) as server:
        Pod.port = server.port
        yield Pod


def call(pod, within=60.0):
    return post("127.0.0.1", pod.port, "/specialize", "secret", b"{}", within)


async def test_a_call_names_its_token_and_gets_status_and_body(pod):
    pod.answer = b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\nno"
    assert await call(pod) == (409, b"no")
    assert pod.read.startswith(b"POST /specialize HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer secret\r\n" in pod.read
    assert b"\r\nContent-Length: 2\r\n\r\n{}" in pod.read


async def test_a_pod_that_dies_in_the_middle_of_its_answer_is_broken(pod):
    pod.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf"
    with pytest.raises(ControlPortBroken, match="closed before the end"):
        await call(pod)


async def test_a_pod_that_does_not_answer_is_not_waited_for_longer_than_asked(pod):
    pod.ends = False
    with pytest.raises(TimeoutError):
        await call(pod, within=0.2)


async def test_a_pod_that_is_gone_is_an_error_at_once(pod):
    pod.port = 1
    with pytest.raises(ConnectionRefusedError):
        await call(pod)
