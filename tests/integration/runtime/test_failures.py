"""What the log and the counters say of a request that failed, of a client that left, and of work after the answer."""

import base64
import json

import pytest

HANDLED = "kubewick_function_handler_requests_total"
KINDS = pytest.mark.parametrize("kind", ["def", "async def"])
WATCHED = """
    import json, logging, sys
    class Watch(logging.Handler):
        def emit(self, record):
            kind, error, tb = record.exc_info
            names = []
            while tb: names.append(tb.tb_frame.f_code.co_name); tb = tb.tb_next
            about = [record.request_id, record.function, record.namespace, record.revision]
            print(json.dumps({"type": kind.__name__, "same": error.marked, "frames": names, "about": about}))
    logging.getLogger().addHandler(Watch())
    def fail():
        error = KeyError("no such row")
        error.marked = 7
        raise error
"""


@KINDS
def test_a_handlers_failure_is_logged_with_the_exception_and_the_request(start, variant, kind, eventually):
    code = f"{WATCHED}    {kind} handle():\n        fail()\n"
    instance = start(code, KUBEWICK_FUNCTION="f", KUBEWICK_NAMESPACE="n", KUBEWICK_REVISION="r", **variant)
    assert instance.request(headers={"X-Request-Id": "id-1"}).status == 500
    line = eventually(lambda: [x["message"] for x in instance.lines if x["message"].startswith('{"type"')])[0]
    assert json.loads(line) == {
        "type": "KeyError", "same": 7, "frames": ["handle", "fail"], "about": ["id-1", "f", "n", "r"],
    }  # fmt: skip


@KINDS
def test_a_log_handler_of_the_function_that_raises_takes_neither_answer_nor_process(start, kind, eventually):
    code = f"""
        import logging, os
        class Broken(logging.Handler):
            def emit(self, record): raise SystemExit("broken too")
        logging.getLogger().addHandler(Broken())
        {kind} handle(request):
            if request.path == "/bad": raise ValueError("no")
            return str(os.getpid())
    """
    instance = start(code)
    pid = instance.request().text
    assert instance.request("/bad").message == "ValueError: no"
    assert instance.request().text == pid
    eventually(lambda: any("ValueError: no; logging it raised SystemExit" in line for line in instance.output))


STREAMS = {
    "starlette": """
        import asyncio
        from starlette.applications import Starlette
        from starlette.responses import StreamingResponse
        from starlette.routing import Route
        async def numbers():
            while True:
                yield "x" * 65536
                await asyncio.sleep(0.001)
        async def endless(request): return StreamingResponse(numbers())
        handle = Starlette(routes=[Route("/", endless)])
    """,
    "upload": """
        from starlette.applications import Starlette
        from starlette.routing import Route
        async def upload(request): await request.body()
        handle = Starlette(routes=[Route("/", upload, methods=["GET", "POST"])])
    """,
    "native": """
        import asyncio
        async def handle(request):
            while True:
                yield "x" * 65536
                await asyncio.sleep(0.001)
    """,
    "process": """
        import time
        def handle(request):
            while True:
                yield "x" * 65536
                time.sleep(0.001)
    """,
}


@pytest.mark.parametrize("form", list(STREAMS))
def test_a_client_that_leaves_is_counted_as_its_own_doing_and_is_no_error_in_the_log(start, variant, form, eventually):
    instance = start(STREAMS[form], **variant)
    for _ in range(2):
        sock = instance.connect()
        if form == "upload":
            sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
            eventually(lambda: instance.metric("kubewick_function_handler_in_flight") == 1)
        else:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert sock.recv(65536)
        sock.close()
        eventually(lambda: instance.metric("kubewick_function_handler_in_flight") == 0)
    eventually(lambda: instance.metric(HANDLED, outcome="disconnect") == 2)
    assert instance.metric(HANDLED, outcome="error") == 0
    assert [line for line in instance.lines if line["level"] == "error"] == []


def test_an_error_of_the_functions_own_is_told_even_when_its_client_has_left(start, eventually):
    code = """
        async def handle(request):
            try:
                while True: yield "x" * 65536
            finally:
                raise KeyError("in the cleaning up")
    """
    instance = start(code)
    sock = instance.connect()
    sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert sock.recv(65536)
    sock.close()
    line = eventually(lambda: [line for line in instance.lines if line["level"] == "error"])[0]
    assert "in the cleaning up" in line["message"]


def test_a_websocket_whose_client_says_goodbye_is_no_error(start, eventually):
    code = """
        from fastapi import FastAPI, WebSocket
        handle = FastAPI()
        @handle.websocket("/")
        async def talk(socket: WebSocket):
            await socket.accept()
            while True: await socket.receive_text()
    """
    instance = start(code)
    sock = instance.connect()
    key = base64.b64encode(b"0" * 16).decode()
    head = f"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
    sock.sendall(f"{head}Sec-WebSocket-Version: 13\r\n\r\n".encode())
    assert sock.recv(4096).startswith(b"HTTP/1.1 101")
    sock.sendall(b"\x88\x82\0\0\0\0\x03\xe8")
    assert sock.recv(4096)[:1] == b"\x88"
    eventually(lambda: instance.metric("kubewick_function_handler_in_flight") == 0)
    sock.close()
    eventually(lambda: instance.metric(HANDLED) == 1)
    assert [line for line in instance.lines if line["level"] == "error"] == []


def test_work_after_the_answer_that_the_timeout_stops_is_told_and_counted(start, variant, eventually):
    code = """
        import asyncio
        from starlette.applications import Starlette
        from starlette.background import BackgroundTask
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route
        async def slow(): await asyncio.sleep(30)
        async def home(request): return PlainTextResponse("done", background=BackgroundTask(slow))
        handle = Starlette(routes=[Route("/", home)])
    """
    instance = start(code, KUBEWICK_FUNCTION="f", KUBEWICK_TIMEOUT=1, **variant)
    assert instance.request(headers={"X-Request-Id": "id-1"}).text == "done"
    line = eventually(lambda: [line for line in instance.lines if "after its answer" in line["message"]])[0]
    assert (line["level"], line["requestId"], line["function"]) == ("warning", "id-1", "f")
    assert "spec.timeout" in line["message"]
    eventually(lambda: instance.metric(HANDLED, outcome="timeout") == 1)


def test_tasks_of_an_async_function_are_cancelled_at_its_end_and_have_time_for_their_finally(start, variant, tmp_path):
    code = f"""
        import asyncio, pathlib
        tasks = set()
        async def work(name, stubborn):
            while True:
                try:
                    await asyncio.sleep(30)
                except asyncio.CancelledError:
                    if stubborn: continue
                    await asyncio.sleep(0.05)
                    pathlib.Path({str(tmp_path)!r}, name).touch()
                    raise
        async def handle(request):
            for name in ("one", "two"): tasks.add(asyncio.create_task(work(name, False)))
            if request.path == "/stubborn": tasks.add(asyncio.create_task(work("", True), name="the stubborn"))
            return "begun"
        async def shutdown():
            print("shutdown sees", sum(not task.done() for task in tasks))
    """
    instance = start(code, **variant)
    assert instance.request("/stubborn").text == "begun"
    assert instance.stop() == 0
    assert (tmp_path / "one").exists()
    assert (tmp_path / "two").exists()
    messages = [line["message"] for line in instance.lines]
    assert "shutdown sees 3" in messages
    assert any("the stubborn" in message for message in messages)
