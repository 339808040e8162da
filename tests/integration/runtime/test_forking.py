"""Handler processes that are forked from one that loaded the code: never where a copy would share or repeat something.

Each function here loads slowly or has an `init`, so that a fork is worth it, and holds what the test is about from its
import on.
"""

import functools
import json
import socketserver
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

CONCURRENT = 4


class Echo(socketserver.ThreadingTCPServer):
    """Answers each line with itself, a moment later and in order, as a database does with queries."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Echoing)
        threading.Thread(target=functools.partial(self.serve_forever, poll_interval=0.01)).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Echoing(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)


CONNECTED = """
    import os, socket, time
    def init(): pass
    connection = socket.create_connection(("127.0.0.1", int(os.environ["ECHO"])))
    def handle(request):
        connection.sendall(request.query["q"].encode() + b"\\n")
        time.sleep(0.02)
        return connection.recv(100).decode().strip()
"""


def test_a_connection_made_at_import_answers_each_request_with_its_own_row(start, variant):
    with Echo() as echo, ThreadPoolExecutor(CONCURRENT) as callers:
        instance = start(CONNECTED, ECHO=echo.server_address[1], KUBEWICK_CONCURRENCY=CONCURRENT, **variant)
        asked = [f"row{n}" for n in range(40)]
        assert list(callers.map(lambda q: instance.request(f"/?q={q}").text, asked)) == asked
        instance.stop()


SESSION = """
    import os, requests
    def init(): pass
    session = requests.Session()
    url = f"http://127.0.0.1:{os.environ['ECHO']}/"
    session.get(url)
    def handle(request):
        return session.get(url, params={"q": request.query["q"]}).text
"""


def test_a_session_of_requests_used_at_import_answers_each_request_with_its_own_page(start):
    page = start("import time\ndef handle(request):\n    time.sleep(0.02)\n    return request.query.get('q', '')\n")
    instance = start(SESSION, ECHO=page.port, KUBEWICK_CONCURRENCY=CONCURRENT)
    with ThreadPoolExecutor(CONCURRENT) as callers:
        asked = [f"page{n}" for n in range(20)]
        assert list(callers.map(lambda q: instance.request(f"/?q={q}").text, asked)) == asked


def test_what_was_decided_and_why_is_in_the_log_and_on_the_control_port(start, start_quick):
    with Echo() as echo:
        instance = start(CONNECTED, ECHO=echo.server_address[1])
        told = instance.control("/readyz").json["forking"]
        assert f"connected to 127.0.0.1:{echo.server_address[1]}" in told
        assert f"wick_runtime: {told}" in instance.output
        instance.stop()
    forked = start("def init(): pass\ndef handle(): return 'ok'\n")
    assert forked.control("/readyz").json["forking"] in forked.output[-1]
    assert "are forked from one" in forked.output[-1]
    quick = start_quick("def handle(): return 'ok'\n")
    assert "loads the code for itself, which takes" in quick.control("/readyz").json["forking"]
    assert "forking" not in start("async def handle(): return 'ok'\n").control("/readyz").json


def test_a_function_without_anything_to_share_is_still_forked(start):
    instance = start("import os\ndef init(): pass\ndef handle(): return str(os.getpid())\n")
    handler = int(instance.request().text)
    template = int(Path(f"/proc/{handler}/stat").read_text().split()[3])
    assert template in instance.pids()[2:]


RANDOM = """
    import os, random, time
    import numpy
    class Hidden:
        def __init__(self): self.own = random.Random(7)
    hidden = Hidden()
    generator = numpy.random.default_rng(7)
    numpy.random.seed(7)
    random.seed(7)
    {behind}
    def init(): pass
    def handle(request):
        time.sleep(0.05)
        return [os.getpid(), hidden.own.random(), random.random(), numpy.random.random(), generator.random()]
"""


@pytest.mark.parametrize("behind", ["", "import gc; gc.freeze()"])
@pytest.mark.parametrize("ahead", ["", "random,numpy.random"])
def test_random_generators_do_not_repeat_in_forked_processes(start, ahead, behind):
    one = {"OPENBLAS_NUM_THREADS": "1", "KUBEWICK_PRELOAD": ahead}
    instance = start(RANDOM.format(behind=behind), KUBEWICK_CONCURRENCY=CONCURRENT, **one)
    assert "are forked from one" in instance.control("/readyz").json["forking"]
    with ThreadPoolExecutor(CONCURRENT) as callers:
        drawn = [json.loads(text) for text in callers.map(lambda _: instance.request().text, range(CONCURRENT))]
    for column in zip(*drawn, strict=True):
        assert len(set(column)) == CONCURRENT, drawn
