"""A crash costs the requests the process held, answered with the reason, and nothing else."""

import os
import signal
import threading
from pathlib import Path

import pytest

from cluster.waiting import PATIENCE

DIER = """
    import asyncio, ctypes, os, signal, time
    {kind} handle(request):
        how = request.query.get("die")
        if how == "exit": os._exit(3)
        if how == "segv": ctypes.string_at(0)
        if how == "kill": os.kill(os.getpid(), signal.SIGKILL)
        if how == "late":
            return stream()
        while "until" in request.query and not os.path.exists(request.query["until"]): {sleep}(0.005)
        return str(os.getpid())
    {kind} stream():
        yield "one"
        {sleep}(0.2)
        os._exit(3)
"""


def code(kind):
    return DIER.format(kind=kind, sleep="time.sleep" if kind == "def" else "await asyncio.sleep")


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize(("how", "reason"), [("exit", "code 3"), ("segv", "SIGSEGV"), ("kill", "SIGKILL")])
def test_a_crash_is_a_502_with_the_reason_and_the_next_request_works(start, variant, kind, how, reason, eventually):
    instance = start(code(kind), **variant)
    answer = instance.request(f"/?die={how}", headers={"X-Request-Id": "abc"})
    assert (answer.status, answer.json["error"]["code"]) == (502, "instance-failed")
    assert reason in answer.message
    assert answer.json["error"]["requestId"] == "abc"
    assert instance.request("/").status == 200
    eventually(lambda: instance.metric("kubewick_function_handler_requests_total", outcome="crash") == 1)


HUNGRY = """
    import os, resource
    {kind} handle(request):
        if "eat" in request.query:
            now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (now + (64 << 20), resource.RLIM_INFINITY))
            try:
                hoard = []
                while True:
                    hoard.append(bytearray(1 << 20))
            except MemoryError:
                del hoard
                if "abort" in request.query: os.abort()
                raise
        return str(os.getpid())
"""


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_handler_that_eats_all_memory_gets_500_and_serves_on(start, variant, kind):
    instance = start(HUNGRY.format(kind=kind), **variant)
    answer = instance.request("/?eat")
    assert (answer.status, answer.json["error"]["type"]) == (500, "MemoryError")
    assert instance.request("/").status == 200


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_worker_that_dies_of_too_little_memory_is_a_502_and_replaced(start, variant, kind):
    instance = start(HUNGRY.format(kind=kind), **variant)
    answer = instance.request("/?eat&abort")
    assert answer.status == 502
    assert "SIGABRT" in answer.message
    assert instance.request("/").status == 200


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_response_that_had_begun_is_reset(start, variant, kind):
    sock = start(code(kind), **variant).connect()
    sock.sendall(b"GET /?die=late HTTP/1.1\r\nHost: x\r\n\r\n")
    assert until_reset(sock).endswith(b"3\r\none\r\n")
    sock.close()


def test_idle_connections_live_on_through_a_workers_crash(start, variant):
    instance = start(code("async def"), **variant)
    idle = [instance.connect() for _ in range(20)]
    pids = {ask(sock) for sock in idle}
    assert instance.request("/?die=segv").status == 502
    after = {ask(sock) for sock in idle}
    assert len(after) == 1
    assert after != pids
    for sock in idle:
        sock.close()


def test_every_request_a_worker_held_is_answered(start, variant, tmp_path, eventually):
    instance = start(code("async def"), KUBEWICK_CONCURRENCY=50, **variant)
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(instance.request(f"/?until={tmp_path}/never")))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    eventually(lambda: instance.metric("kubewick_function_handler_in_flight") == 20)
    assert instance.request("/?die=exit").status == 502
    for thread in threads:
        thread.join()
    assert [answer.status for answer in answers] == [502] * 20


def test_a_sync_crash_harms_no_other_request(start, variant, tmp_path, eventually):
    instance = start(code("def"), **variant)
    answers = []
    slow = threading.Thread(target=lambda: answers.append(instance.request(f"/?until={tmp_path}/go")))
    slow.start()
    eventually(lambda: instance.metric("kubewick_function_handler_in_flight") == 1)
    assert instance.request("/?die=segv").status == 502
    (tmp_path / "go").touch()
    slow.join()
    assert answers[0].status == 200


def test_a_function_loaded_in_no_time_is_served_by_the_process_that_loaded_it(start_quick, variant, eventually):
    instance = start_quick(code("def"), **variant)
    handler = int(instance.request("/").text)
    assert instance.pids()[2:] == [handler]
    assert instance.request("/?die=kill").status == 502
    another = int(instance.request("/").text)
    assert another != handler
    eventually(lambda: instance.pids()[2:] == [another])


def test_a_function_that_loads_slowly_is_loaded_once_for_all_its_processes(start, variant):
    instance = start("import time\ntime.sleep(0.05)\nimport os\ndef handle(): return str(os.getpid())\n", **variant)
    handler = int(instance.request("/").text)
    template, *processes = instance.pids()[2:]
    assert processes == [handler]
    assert int(Path(f"/proc/{handler}/stat").read_text().split()[3]) == template


def test_the_template_of_sync_handlers_is_replaced_when_it_is_killed(start, variant, eventually):
    instance = start(code("def") + "    def init(): pass\n", **variant)
    handler = int(instance.request("/").text)
    template = int(Path(f"/proc/{handler}/stat").read_text().split()[3])
    os.kill(template, signal.SIGKILL)
    eventually(lambda: template not in instance.pids())
    assert instance.request("/?die=kill").status in (502, 200)
    eventually(lambda: instance.request("/").status == 200)


def test_workers_that_came_and_went_leave_no_open_file_behind(start, variant, eventually):
    instance = start(code("async def"), **variant)
    control = instance.pids()[1]
    assert instance.request("/").status == 200
    before = open_files(control)
    for _ in range(3):
        instance.request("/?die=kill")
        eventually(lambda: instance.request("/").status == 200)
    eventually(lambda: open_files(control) == before)


def open_files(pid):
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_when_the_control_process_dies_nothing_is_left_behind(start, eventually):
    instance = start(code("async def"))
    pids = instance.pids()
    os.kill(pids[1], signal.SIGKILL)
    instance.process.wait(PATIENCE)
    assert instance.process.returncode != 0
    eventually(lambda: not any(alive(pid) for pid in pids[1:]))


def until_reset(sock):
    """What arrives before the connection is reset; fails if it ends decently."""
    seen = b""
    try:
        while data := sock.recv(65536):
            seen += data
    except ConnectionResetError:
        return seen
    pytest.fail(f"the response ended as if complete: {seen!r}")


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def ask(sock):
    """One request on a connection that stays open; the answer's body."""
    sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length"))
    while len(body) < length:
        body += sock.recv(65536)
    return body
