"""What a handler's process started: it ends with it, never holds its place in the limit, and obeys signals."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cluster.waiting import PATIENCE

SOON = {"Kubewick-Deadline-Ms": "700"}
"""Time enough for a handler to begin, and to start a process, on a busy machine."""

EXECUTOR = """
    import concurrent.futures, multiprocessing, os, time
    executor = None
    def slowly(seconds):
        time.sleep(seconds)
    def handle(request):
        global executor
        if "sleep" in request.query:
            executor = executor or concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("fork"))
            executor.submit(slowly, 600).result()
        return str(os.getpid())
"""


@pytest.mark.parametrize("hook", ["", "    def init(): pass\n"])
def test_a_child_that_outlives_its_handler_costs_no_place_in_the_limit(start, variant, eventually, hook):
    instance = start(EXECUTOR + hook, KUBEWICK_CONCURRENCY=2, **variant)
    with ThreadPoolExecutor(2) as callers:
        late = list(callers.map(lambda _: instance.request("/?sleep", headers=SOON).status, range(2)))
    assert late == [504, 504]
    eventually(lambda: instance.request("/").status == 200)
    eventually(lambda: instance.metric("kubewick_function_handler_requests_total", outcome="timeout") == 2)


LEAVER = """
    import os, signal, subprocess, time
    {kind} handle(request):
        if "start" in request.query:
            held = os.fork()
            if held == 0:
                time.sleep(600)
                os._exit(0)
            other = subprocess.Popen(["sleep", "600"])
            with open(os.environ["MARK"], "w") as file:
                file.write(f"{{os.getpid()}} {{held}} {{other.pid}}")
            if "die" in request.query:
                os.kill(os.getpid(), signal.SIGKILL)
            while "stay" in request.query:
                time.sleep(0.01)
        return str(os.getpid())
"""


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_handler_that_is_killed_is_told_at_once_and_what_it_started_ends(start, variant, kind, tmp_path, eventually):
    mark = tmp_path / "mark"
    instance = start(LEAVER.format(kind=kind), MARK=mark, KUBEWICK_TIMEOUT=PATIENCE, **variant)
    answer = instance.request("/?start&die")
    assert (answer.status, answer.json["error"]["code"]) == (502, "instance-failed")
    assert "SIGKILL" in answer.message
    _, *started = map(int, mark.read_text().split())
    eventually(lambda: not any(running(pid) for pid in started))
    assert instance.request("/").status == 200
    assert instance.stop() == 0


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_the_instance_ends_though_a_child_of_a_handler_lives(start, variant, kind, tmp_path, eventually):
    mark = tmp_path / "mark"
    instance = start(LEAVER.format(kind=kind), MARK=mark, **variant)
    assert instance.request("/?start").status == 200
    pids = list(map(int, mark.read_text().split()))
    assert instance.stop() == 0
    eventually(lambda: not any(running(pid) for pid in pids))


TERMINATED = """
    import multiprocessing, os, signal, time
    fork = multiprocessing.get_context("fork")
    begun = fork.Event()
    def spin():
        begun.set()
        while True:  # Python notices a signal that comes just before the system call only behind it
            time.sleep(0.05)
    {kind} handle(request):
        if "pool" in request.query:
            with fork.Pool(1) as pool:
                try:
                    pool.apply_async(spin).get(0.1)
                except multiprocessing.TimeoutError:
                    pass
            return "ended"
        child = fork.Process(target=spin)
        begun.clear()
        child.start()
        begun.wait()
        if "how" in request.query:
            child.terminate()
        else:
            os.kill(child.pid, int(request.query["n"]))
        child.join()
        return child.exitcode
"""


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_children_of_a_handler_obey_the_signals_a_python_program_obeys(start, variant, kind):
    instance = start(TERMINATED.format(kind=kind), KUBEWICK_TIMEOUT=PATIENCE, **variant)
    assert instance.request("/?how=terminate").json == -signal.SIGTERM
    assert instance.request(f"/?n={signal.SIGUSR1:d}").json == -signal.SIGUSR1
    assert instance.request(f"/?n={signal.SIGINT:d}").json == 1
    assert instance.request("/?pool").text == "ended"


def test_a_handler_for_signals_set_at_import_holds_in_forked_processes(start):
    code = """
        import os, signal
        heard = []
        def init(): signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
        def handle():
            os.kill(os.getpid(), signal.SIGTERM)
            return heard
    """
    instance = start(code)
    assert "are forked from one" in instance.control("/readyz").json["forking"]
    assert instance.request().json == [signal.SIGTERM]


def test_a_copy_of_the_process_that_comes_back_from_the_handler_answers_nobody(start, variant):
    code = (
        "import os\ndef handle():\n    pid = os.fork()\n    return 'copy' if pid == 0 else str(os.waitpid(pid, 0)[1])\n"
    )
    instance = start(code, **variant)
    assert [instance.request().text for _ in range(5)] == ["0"] * 5


def test_a_signal_to_the_group_of_the_instance_reaches_no_handler(start, tmp_path, eventually):
    go = tmp_path / "go"
    code = """
        import os, time
        def handle():
            while not os.path.exists(os.environ["GO"]): time.sleep(0.005)
            return "whole"
    """
    instance = start(code, GO=go)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(instance.request().text))
    asking.start()
    eventually(lambda: instance.metric("kubewick_function_handler_in_flight") == 1)
    os.killpg(instance.process.pid, signal.SIGTERM)
    eventually(lambda: instance.state() == "draining")
    go.touch()
    asking.join()
    assert answers == ["whole"]
    assert instance.stop() == 0


def running(pid):
    """Whether it is neither gone nor a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
