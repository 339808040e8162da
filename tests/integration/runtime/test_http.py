"""HTTP/1.1 over real sockets, with both parsers."""

import pytest

ECHO = """
    {kind} handle(request):
        return {{"method": request.method, "target": request.target.decode(), "body": request.body.decode("latin-1")}}
"""
KINDS = pytest.mark.parametrize("kind", ["def", "async def"])


def read(sock, count):
    """`count` responses as (status, headers, body)."""
    with sock.makefile("rb") as file:
        return [_one(file) for _ in range(count)]


def _one(file):
    status = int(file.readline().split()[1])
    headers = {}
    while (line := file.readline().strip()) != b"":
        name, _, value = line.partition(b":")
        headers[name.lower()] = value.strip()
    return status, headers, file.read(int(headers.get(b"content-length", 0))) if status >= 200 else b""


@pytest.fixture
def echo(start, variant):
    return start(ECHO.format(kind="async def"), KUBEWICK_MAX_REQUEST_BYTES=100_000, **variant)


@KINDS
def test_pipelined_requests_are_answered_in_order(start, variant, kind):
    sock = start(ECHO.format(kind=kind), **variant).connect()
    sock.sendall(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % i for i in range(500)))
    bodies = [body for _, _, body in read(sock, 500)]
    assert all(f'"/{i}"'.encode() in body for i, body in enumerate(bodies))
    sock.close()


@KINDS
def test_a_chunked_body_arrives_whole_and_trailers_do_nothing(start, variant, kind):
    sock = start(ECHO.format(kind=kind), **variant).connect()
    sock.sendall(
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 9\r\nHost: y\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    first, second = read(sock, 2)
    assert b'"abcde"' in first[2]
    assert b'"/next"' in second[2]
    sock.close()


def test_expect_100_continue_is_answered_before_the_body(echo):
    sock = echo.connect()
    sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert read(sock, 1)[0][0] == 100
    sock.sendall(b"hi")
    assert b'"hi"' in read(sock, 1)[0][2]
    sock.close()


def test_a_body_that_will_be_refused_gets_no_100_continue(echo):
    sock = echo.connect()
    sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\nExpect: 100-continue\r\n\r\n")
    assert read(sock, 1)[0][0] == 413
    sock.close()


def test_head_has_the_length_and_no_body(echo):
    sock = echo.connect()
    sock.sendall(b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    data = b""
    while piece := sock.recv(65536):
        data += piece
    assert data.count(b"HTTP/1.1 200") == 2
    assert data.count(b'"method"') == 1
    sock.close()


def test_http_1_0_gets_one_answer_and_an_end(echo):
    sock = echo.connect()
    sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
    data = b""
    while piece := sock.recv(65536):
        data += piece
    assert b"connection: close" in data
    sock.close()


@pytest.mark.parametrize("length", [b"Content-Length: 100001\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_a_body_over_the_limit_is_413(echo, length):
    sock = echo.connect()
    sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + length + b"\r\n")
    if b"chunked" in length:
        sock.sendall(b"186a1\r\n" + b"x" * 100_001 + b"\r\n0\r\n\r\n")
    status, _, body = read(sock, 1)[0]
    assert status == 413
    assert b"100000 bytes" in body
    sock.close()


@KINDS
@pytest.mark.parametrize(
    "end", [b"186a1\r\n" + b"x" * 100_001 + b"\r\n0\r\n\r\n", b"nonsense\r\n"], ids=["long", "bad"]
)
def test_a_refused_body_gives_its_place_in_the_limit_back(start, variant, kind, end, eventually):
    instance = start(
        f"{kind} handle():\n    return 'ok'\n", KUBEWICK_CONCURRENCY=1, KUBEWICK_MAX_REQUEST_BYTES=1000, **variant
    )
    sock = instance.connect()
    sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    sock.sendall(end)
    assert read(sock, 1)[0][0] in (400, 413)
    assert instance.request("/").status == 200
    sock.close()
    eventually(lambda: instance.metric("kubewick_function_handler_in_flight") == 0)


@pytest.mark.parametrize(
    "head", [b"A: " + b"a" * 70000 + b"\r\n", b"A: b\r\n" * 300, b"".join(b"A%d: b\r\n" % i for i in range(12000))]
)
def test_a_head_over_the_limits_is_431(echo, head):
    sock = echo.connect()
    sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n")
    assert read(sock, 1)[0][0] == 431
    sock.close()


@KINDS
def test_a_large_body_streams_both_ways(start, variant, kind):
    loop = "for" if kind == "def" else "async for"
    code = f"""
        {kind} handle(request: "StreamingRequest"):
            total = 0
            {loop} chunk in request.stream():
                total += len(chunk)
                yield b"x" * len(chunk)
            yield str(total)
    """
    instance = start(code, **variant)
    answer = instance.request("/", "POST", b"y" * 8_000_000)
    assert answer.body == b"x" * 8_000_000 + b"8000000"


@KINDS
def test_a_slow_reader_stops_the_handler_not_the_memory(start, variant, kind, eventually):
    code = f"""
        import os, pathlib
        {kind} handle(request):
            for n in range(1200):
                pathlib.Path(os.environ["SEEN"]).write_text(str(n))
                yield b"x" * 65536
    """
    seen = None
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        seen = Path(folder) / "n"
        instance = start(code, SEEN=seen, **variant)
        sock = instance.connect()
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(seen.exists)
        steady = [0, -1]

        def rested():
            steady[:] = [steady[1], int(seen.read_text() or 0)]
            import time

            time.sleep(0.2)
            return steady[0] == steady[1]

        eventually(rested)
        assert steady[1] < 600  # a few socket buffers' worth of the 1,200 pieces
        total = 0
        while total < 1200 * 65536:
            piece = sock.recv(1 << 20)
            assert piece
            total += len(piece)
        sock.close()


@KINDS
def test_a_client_that_leaves_cancels_the_handler(start, variant, kind, tmp_path, eventually):
    sleep = "time.sleep(30)" if kind == "def" else "await asyncio.sleep(30)"
    code = f"""
        import asyncio, os, pathlib, time
        {kind} handle(request):
            pathlib.Path(os.environ["MARK"] + ".began").touch()
            try:
                {sleep}
            finally:
                pathlib.Path(os.environ["MARK"]).touch()
    """
    mark = tmp_path / "mark"
    instance = start(code, MARK=mark, **variant)
    sock = instance.connect()
    sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    eventually((tmp_path / "mark.began").exists)
    sock.close()
    eventually(mark.exists)
    eventually(lambda: instance.metric("kubewick_function_handler_in_flight") == 0)


@KINDS
def test_a_handler_cannot_split_a_response(start, variant, kind):
    code = f"{kind} handle(request):\n    return 'a', 200, {{'X-A': 'b\\r\\nX-C: d'}}\n"
    answer = start(code, **variant).request()
    assert answer.status == 500
    assert "X-C" not in answer.headers
