"""Native handlers, against the real server process."""

import pytest

HELLO = "{kind} handle(request, context):\n    return 'hello ' + request.path\n"


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_handler_answers(start, variant, kind):
    answer = start(HELLO.format(kind=kind), **variant).request("/a%20b")
    assert (answer.status, answer.text) == (200, "hello /a b")


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("parameters", ["", "request", "request, context"])
def test_a_handler_takes_what_it_asks_for(start, kind, parameters):
    assert start(f"{kind} handle({parameters}):\n    return 'ok'\n").request().text == "ok"


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_generator_is_streamed_as_it_is_produced(start, variant, kind):
    code = """
        import os, time
        {kind} handle(request):
            yield "one"
            while not os.path.exists(os.environ["GO"]):
                {wait}
            yield "two"
    """.format(kind=kind, wait="time.sleep(0.01)" if kind == "def" else "import asyncio; await asyncio.sleep(0.01)")
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        go = Path(folder) / "go"
        sock = start(code, GO=go, **variant).connect()
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        seen = b""
        while b"one" not in seen:
            seen += sock.recv(65536)
        assert b"two" not in seen
        go.touch()
        while data := sock.recv(65536):
            seen += data
        assert seen.endswith(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
        sock.close()
