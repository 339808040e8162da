"""The limit of requests in flight, and what runs beside what."""

import textwrap
import threading

import pytest

from cluster.waiting import PATIENCE

CODE = """
    import asyncio, os, time
    {kind} handle(request):
        while not os.path.exists(os.environ["GO"]):
            {sleep}(0.005)
        return str(os.getpid())
"""


def code(kind):
    return CODE.format(kind=kind, sleep="time.sleep" if kind == "def" else "await asyncio.sleep")


class Crowd:
    """Requests that run at the same time."""

    def __init__(self, instance, count):
        self.answers = []
        self._threads = [
            threading.Thread(target=lambda: self.answers.append(instance.request("/"))) for _ in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def join(self):
        for thread in self._threads:
            thread.join()
        return self.answers


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_over_the_limit_is_429_with_retry_after_at_once(start, variant, kind, tmp_path, eventually):
    go = tmp_path / "go"
    instance = start(code(kind), GO=go, KUBEWICK_CONCURRENCY=3, **variant)
    crowd = Crowd(instance, 3)
    eventually(lambda: instance.metric("kubewick_function_handler_in_flight") == 3)
    refused = instance.request("/")
    assert (refused.status, refused.headers["Retry-After"], refused.headers["Kubewick-Refused"]) == (
        429, "1", "concurrency",
    )  # fmt: skip
    go.touch()
    assert [answer.status for answer in crowd.join()] == [200] * 3
    assert instance.request("/").status == 200
    eventually(lambda: instance.metric("kubewick_function_handler_requests_total", outcome="refused") == 1)


def test_sync_handlers_run_in_processes_of_their_own(start, variant, tmp_path, eventually):
    go = tmp_path / "go"
    instance = start(code("def"), GO=go, KUBEWICK_CONCURRENCY=5, **variant)
    crowd = Crowd(instance, 5)
    eventually(lambda: instance.metric("kubewick_function_handler_in_flight") == 5)
    go.touch()
    assert len({answer.text for answer in crowd.join()}) == 5


def test_async_handlers_share_one_loop(start, variant, tmp_path, eventually):
    go = tmp_path / "go"
    instance = start(code("async def"), GO=go, KUBEWICK_CONCURRENCY=50, **variant)
    crowd = Crowd(instance, 50)
    eventually(lambda: instance.metric("kubewick_function_handler_in_flight") == 50)
    go.touch()
    assert len({answer.text for answer in crowd.join()}) == 1


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_thousand_keep_alive_connections(start, variant, kind):
    instance = start(f"{kind} handle():\n    return 'ok'\n", KUBEWICK_CONCURRENCY=1000, **variant)
    sockets = [instance.connect() for _ in range(1000)]
    at_once = 1000 if kind == "async def" else 10  # of a plain handler each needs a process
    for _ in range(2):
        for first in range(0, 1000, at_once):
            turn = sockets[first : first + at_once]
            for sock in turn:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            for sock in turn:
                data = sock.recv(65536)
                assert data.startswith(b"HTTP/1.1 200 "), data
    for sock in sockets:
        sock.close()


THREADS = "\nimport threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"


def test_a_function_whose_import_starts_threads_is_not_forked(start, variant, tmp_path, eventually):
    go = tmp_path / "go"
    instance = start(THREADS + textwrap.dedent(code("def")), GO=go, **variant)
    crowd = Crowd(instance, 3)
    eventually(lambda: instance.metric("kubewick_function_handler_in_flight") == 3)
    go.touch()
    assert [answer.status for answer in crowd.join()] == [200] * 3


def test_a_function_that_cannot_be_forked_is_loaded_once_for_its_first_process(start, variant):
    source = THREADS + "print('loaded')\ndef init(): pass\ndef handle(): return 'ok'\n"
    instance = start(source, **variant)
    assert instance.request("/").status == 200
    instance.terminate()
    assert instance.process.wait(PATIENCE) == 0
    assert [line["message"] for line in instance.lines].count("loaded") == 1
