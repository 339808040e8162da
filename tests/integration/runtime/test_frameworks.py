"""FastAPI, Flask, Django, Lambda and functions-framework applications from `examples/frameworks`, unchanged."""

import base64
import hashlib
import json
import os
import struct
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples" / "frameworks"


@pytest.fixture
def serve(start, libraries):
    def begin(folder, handler, **env):
        code = EXAMPLES / folder
        return start(KUBEWICK_CODE=code, KUBEWICK_HANDLER=f"main:{handler}", PYTHONPATH=libraries, **env)

    return begin


def test_fastapi_runs_with_lifespan_validation_threads_and_streams(serve, variant):
    app = serve("fastapi", "app", **variant)
    assert app.request("/tasks").json == [{"title": "read the README", "done": False}]
    json_type = {"Content-Type": "application/json"}
    assert app.request("/tasks", "POST", '{"title": "rest"}', json_type).status == 201
    assert app.request("/tasks", "POST", '{"name": "rest"}', json_type).status == 422
    assert app.request("/tasks/1").json["title"] == "rest"
    assert app.request("/tasks/9").status == 404
    assert app.request("/count").text == "0\n1\n2\n"
    assert app.stop() == 0
    assert any(line["message"] == "goodbye" for line in app.lines)


def test_fastapi_speaks_websocket(serve, variant):
    sock = serve("fastapi", "app", **variant).connect()
    key = base64.b64encode(os.urandom(16)).decode()
    sock.sendall(
        f"GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(1)
    accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest())
    assert head.startswith(b"HTTP/1.1 101 ")
    assert accept in head
    for text in (b"hello", b"x" * 70000):
        sock.sendall(masked(0x81, text))
        assert frame(sock) == (0x81, text.upper())
    sock.sendall(masked(0x89, b"ping"))
    assert frame(sock) == (0x8A, b"ping")
    sock.sendall(masked(0x88, struct.pack("!H", 1000)))
    assert frame(sock) == (0x88, struct.pack("!H", 1000))
    assert sock.recv(1) == b""
    sock.close()


def test_flask_runs(serve):
    app = serve("flask", "app")
    assert app.request("/?name=Ada").text == "<h1>Hello, Ada!</h1>"
    assert app.request("/echo", "POST", '{"a": [1]}', {"Content-Type": "application/json"}).json == {"a": [1]}
    assert app.request("/count").text == "0\n1\n2\n"
    assert app.request("/nowhere").status == 404
    body = b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n' + b"x" * 300_000 + b"\r\n--b--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    assert app.request("/upload", "POST", body, kind).json == {"f": 300_000}


BOTTLE = """
    import bottle
    app = bottle.default_app()

    @bottle.post("/hello/<name>")
    def hello(name):
        return {"hello": name, "body": bottle.request.body.read().decode()}
"""
FALCON = """
    import falcon

    class Hello:
        def on_post(self, request, response, name):
            response.media = {"hello": name, "body": request.bounded_stream.read().decode()}

    app = falcon.App()
    app.add_route("/hello/{name}", Hello())
"""
FALCON_ASGI = """
    import falcon.asgi

    class Hello:
        async def on_post(self, request, response, name):
            response.media = {"hello": name, "body": (await request.stream.read()).decode()}

    app = falcon.asgi.App()
    app.add_route("/hello/{name}", Hello())
"""


@pytest.mark.parametrize("code", [BOTTLE, FALCON, FALCON_ASGI], ids=["bottle", "falcon", "falcon.asgi"])
def test_bottle_and_falcon_are_recognised_and_run(start, libraries, code):
    app = start(code, KUBEWICK_HANDLER="main:app", PYTHONPATH=libraries)
    assert app.request("/hello/Ada", "POST", "text").json == {"hello": "Ada", "body": "text"}
    assert app.request("/hello/Ada", "POST", iter([b"in ", b"chunks"])).json["body"] == "in chunks"
    large = app.request("/hello/Ada", "POST", iter([b"x" * 100_000] * 20)).json["body"]
    assert large == "x" * 2_000_000


def test_django_runs(serve):
    app = serve("django", "application")
    assert app.request("/hello/Ada%20L").text == "Hello, Ada L!"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert app.request("/total", "POST", "n=1&n=41", form).json == {"total": 42}
    assert app.request("/total", "POST", iter([b"n=1&", b"n=41"]), form).json == {"total": 42}  # chunked


def test_a_lambda_handler_runs(start):
    app = start(KUBEWICK_CODE=EXAMPLES / "aws-lambda", KUBEWICK_HANDLER="main:lambda_handler")
    assert app.request("/?name=Ada").json == {"message": "Hello, Ada!", "left": True}
    pixel = app.request("/pixel")
    assert (pixel.headers["Content-Type"], pixel.body[:6]) == ("image/gif", b"GIF89a")
    answer = app.request("/", "POST", b"\xff\x00", {"Cookie": "a=1; b=2", "X-Request-Id": "r-1"})
    assert (answer.status, answer.json) == (201, {"bytes": 2, "cookies": ["a=1", "b=2"]})
    assert answer.headers.get_all("set-cookie") == ["seen=1; Path=/", "kind=test"]
    assert answer.headers["X-Request"] == "r-1"


def test_functions_framework_functions_run_unchanged(serve, eventually):
    assert serve("functions-framework", "hello").request("/?name=Ada").text == "Hello Ada!"
    double = serve("functions-framework", "double")
    answer = double.request("/", "POST", '{"item": "tea", "count": 2}', {"Content-Type": "application/json"})
    assert json.loads(answer.text) == {"item": "tea", "count": 4}
    events = serve("functions-framework", "on_event")
    headers = {"ce-id": "1", "ce-type": "t", "ce-source": "s", "ce-specversion": "1.0", "Content-Type": "text/plain"}
    assert events.request("/", "POST", "data", headers).status == 200
    eventually(lambda: any(line["message"].startswith("t from s") for line in events.lines))


AIO = """
    import asyncio, functions_framework.aio

    @functions_framework.aio.http
    async def hello(request):
        await asyncio.sleep(0)
        return {"hello": request.query_params.get("name"), "body": (await request.body()).decode()}

    @functions_framework.aio.cloud_event
    async def on_event(event):
        print(f"{event['type']} from {event['source']}: {event.data}")
"""


def test_asynchronous_functions_framework_functions_run_unchanged(start, libraries, eventually):
    app = start(AIO, KUBEWICK_HANDLER="main:hello", PYTHONPATH=libraries)
    assert app.request("/deep/path?name=Ada", "POST", "text").json == {"hello": "Ada", "body": "text"}
    events = start(AIO, KUBEWICK_HANDLER="main:on_event", PYTHONPATH=libraries)
    assert events.request("/", "POST", "data", BINARY).text == "OK"
    assert events.request("/", "POST", "data").status == 400
    eventually(lambda: any(line["message"].startswith("t from s: ") for line in events.lines))


BINARY = {"ce-id": "1", "ce-type": "t", "ce-source": "s", "ce-specversion": "1.0", "Content-Type": "text/plain"}


def masked(first, data):
    key = os.urandom(4)
    size = len(data)
    length = bytes([0x80 | size]) if size < 126 else struct.pack("!BQ", 0xFF, size)
    return bytes([first]) + length + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(data))


def frame(sock):
    with sock.makefile("rb", buffering=0) as file:
        first, size = exactly(file, 2)
        if size == 126:
            size = int.from_bytes(exactly(file, 2), "big")
        elif size == 127:
            size = int.from_bytes(exactly(file, 8), "big")
        return first, exactly(file, size)


def exactly(file, size):
    data = b""
    while len(data) < size:
        got = file.read(size - len(data))
        assert got, "the connection ended"
        data += got
    return data
