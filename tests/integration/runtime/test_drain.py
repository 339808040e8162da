"""SIGTERM: not ready, finish what is in flight, close what rests, run `shutdown`, exit 0."""

import asyncio
import itertools
import os
import signal
import socket
import threading
import time

import pytest

from cluster.waiting import PATIENCE
from wick_runtime.http.message.parser import choose
from wick_runtime.http.server import Server, ServerSettings
from wick_runtime.ipc.shared_table import SharedTable

CODE = """
    import asyncio, os, time
    def init(): print("init ran")
    def shutdown(): print("shutdown ran")
    {kind} handle(request):
        while not os.path.exists(os.environ["GO"]):
            {sleep}(0.005)
        return "done"
"""


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def code(kind):
    return CODE.format(kind=kind, sleep="time.sleep" if kind == "def" else "await asyncio.sleep")


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_what_is_in_flight_finishes_and_what_is_new_is_refused(start, variant, kind, tmp_path, eventually):
    go = tmp_path / "go"
    instance = start(code(kind), GO=go, **variant)
    idle = instance.connect()
    answers = []
    slow = [threading.Thread(target=lambda: answers.append(instance.request("/"))) for _ in range(3)]
    for thread in slow:
        thread.start()
    eventually(lambda: instance.metric("kubewick_function_handler_in_flight") == 3)
    instance.terminate()
    eventually(lambda: instance.state() == "draining")
    refused = instance.request("/")
    assert (refused.status, refused.headers["Kubewick-Refused"]) == (503, "draining")
    assert idle.recv(1) == b""
    idle.close()
    go.touch()
    for thread in slow:
        thread.join()
    assert [(answer.status, answer.text) for answer in answers] == [(200, "done")] * 3
    assert instance.process.wait(PATIENCE) == 0
    said = [line["message"] for line in instance.lines]
    assert said.count("init ran") == 1
    assert said.count("shutdown ran") == (1 if kind == "async def" else 4), "in the three processes and their template"


QUICK = """
    import os, time
    def handle(request):
        if "die" in request.query: os._exit(3)
        while not os.path.exists(os.environ["GO"]):
            time.sleep(0.005)
        return "done"
"""


def test_the_process_that_loaded_the_code_dies_while_draining_and_the_others_finish(
    start_quick, variant, tmp_path, eventually
):
    go = tmp_path / "go"
    instance = start_quick(QUICK, GO=go, **variant)
    [first] = instance.pids()[2:]
    answers = []
    slow = [threading.Thread(target=lambda: answers.append(instance.request("/").status)) for _ in range(3)]
    for thread in slow:
        thread.start()
    eventually(lambda: instance.metric("kubewick_function_handler_in_flight") == 3)
    instance.terminate()
    eventually(lambda: instance.state() == "draining")
    os.kill(first, signal.SIGKILL)
    eventually(lambda: answers == [502])
    go.touch()
    for thread in slow:
        thread.join()
    assert answers == [502, 200, 200]
    assert instance.process.wait(PATIENCE) == 0


def test_an_instance_whose_first_process_has_died_before_ends_as_it_should(start, variant, tmp_path):
    (tmp_path / "go").touch()
    instance = start(QUICK, GO=tmp_path / "go", **variant)
    assert instance.request("/?die=1").status == 502
    assert instance.request("/").status == 200
    instance.terminate()
    assert instance.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_request_on_a_kept_connection_that_crosses_the_signal_is_answered(start, variant, kind, tmp_path):
    instance = start(code(kind), GO=tmp_path, **variant)
    kept = [instance.connect() for _ in range(5)]
    for sock in kept:
        sock.sendall(GET)
        assert b" 200 " in sock.recv(65536)
    held = instance.pids()[1:]
    for pid in held:
        os.kill(pid, signal.SIGSTOP)
    instance.terminate()
    for sock in kept:
        sock.sendall(GET)
    for pid in held:
        os.kill(pid, signal.SIGCONT)
    for sock in kept:
        answer = sock.recv(65536)
        assert b" 200 " in answer or (b" 503 " in answer and b"kubewick-refused: draining" in answer)
        assert sock.recv(1) == b"", "then it is closed, not reset"
        sock.close()
    assert instance.process.wait(PATIENCE) == 0


class Ok:
    """An application that answers at once."""

    hold = 1 << 20
    max_body = 1 << 20

    def admit(self, _exchange):
        return None

    def begin(self, exchange):
        exchange.respond(200, [], b"ok")


async def test_a_kept_connection_with_unread_bytes_is_not_closed_however_long_it_rested():
    server = Server(Ok(), choose(), SharedTable(), ServerSettings())
    await server.listen(socket.create_server(("127.0.0.1", 0)))
    loop = asyncio.get_running_loop()
    with socket.create_connection(server._socket.getsockname()) as kept:
        kept.settimeout(0)
        await loop.sock_sendall(kept, GET)
        assert b" 200 " in await asyncio.wait_for(loop.sock_recv(kept, 65536), 5)
        server.now = itertools.count(time.monotonic() + 100, 100).__next__  # everything has rested long enough
        kept.send(GET)  # no turn of the loop from here to the first look: nobody has read it
        await asyncio.wait_for(server.drain(lambda: 0), 5)
        answer = await asyncio.wait_for(loop.sock_recv(kept, 65536), 5)
        assert b" 200 " in answer
        assert b"connection: close" in answer.lower()
        assert await asyncio.wait_for(loop.sock_recv(kept, 1), 5) == b"", "then it is closed, not reset"


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_nobody_who_connects_up_to_the_last_moment_is_reset(start, kind, tmp_path):
    instance = start(code(kind), GO=tmp_path)
    instance.request("/")
    instance.terminate()
    seen = set()
    while (status := _asked(instance)) is not None:
        seen.add(status)
    assert seen <= {200, 503}
    assert instance.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_half_sent_head_does_not_hold_the_end_up(start, variant, kind, tmp_path):
    instance = start(code(kind), GO=tmp_path, **variant)
    sock = instance.connect()
    sock.sendall(b"GET / HT")
    assert instance.request("/").status == 200
    assert instance.stop() == 0
    assert sock.recv(1) == b""
    sock.close()


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_what_outlives_the_grace_period_is_cut(start, variant, kind, tmp_path, eventually):
    instance = start(code(kind), GO=tmp_path / "never", KUBEWICK_GRACE=0.3, **variant)
    answers = []
    slow = threading.Thread(target=lambda: answers.append(instance.request("/")))
    slow.start()
    eventually(lambda: instance.metric("kubewick_function_handler_in_flight") == 1)
    instance.terminate()
    slow.join()
    assert answers[0].status == 503
    instance.process.wait(PATIENCE)


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_an_idle_instance_stops_at_once_and_leaves_nothing(start, variant, kind, tmp_path, eventually):
    instance = start(code(kind), GO=tmp_path, **variant)
    assert instance.request("/").status == 200
    pids = instance.pids()
    assert instance.stop() == 0
    eventually(lambda: not any(_alive(pid) for pid in pids))


def test_an_instance_of_the_pool_stops_at_once(start, eventually):
    instance = start(KUBEWICK_POOL=1, KUBEWICK_TOKEN_SHA256="t", wait=False)
    eventually(lambda: instance.state() == "pool")
    assert instance.stop() == 0


def _asked(instance):
    """The status of one request on a connection of its own, None when that is refused; anything else is a failure."""
    try:
        return instance.request("/").status
    except ConnectionRefusedError:
        return None


def _alive(pid):
    import os

    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
