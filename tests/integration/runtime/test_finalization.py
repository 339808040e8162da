"""What is pending at the end of a process that ran the function's code: nothing of it is lost, and its wait is bounded.

Scale to zero, an update and an eviction are one SIGTERM to the instance; what leads to it is in
`tests/integration/local`.
"""

import http.server
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

FORMS = {
    "process": ("def", ""),
    "forked": ("def", "def init(): pass\n"),
    "loop": ("async def", ""),
}

ORDER = """
import atexit, os, threading, time
def note(text):
    with open(os.environ["OUT"], "a") as file:
        file.write(f"{{os.getpid()}} {{text}}\\n")
def shutdown(): note("shutdown")
def worked():
    threading.main_thread().join(0.05)
    note("thread")
atexit.register(note, "atexit, first registered")
@atexit.register
def failing():
    note("atexit, failing")
    raise ValueError("at the end")
{init}
{kind} handle(request):
    time.sleep(0.05)
    threading.Thread(target=worked).start()
    return str(os.getpid())
"""


@pytest.mark.parametrize("form", FORMS)
def test_shutdown_threads_and_atexit_run_in_this_order_in_every_process_that_ran_user_code(start, form, tmp_path):
    kind, init = FORMS[form]
    out = tmp_path / "out"
    instance = start(ORDER.format(kind=kind, init=init), OUT=out, KUBEWICK_CONCURRENCY=3)
    with ThreadPoolExecutor(3) as callers:
        handlers = set(callers.map(lambda _: instance.request().text, range(3)))
    users = {str(pid) for pid in instance.pids()[2:]}
    assert handlers <= users
    assert instance.stop() == 0
    noted = [line.partition(" ")[::2] for line in out.read_text().splitlines()]
    assert {pid for pid, _ in noted} == users
    for pid in users:
        words = [text for each, text in noted if each == pid and text != "thread"]
        assert words == ["shutdown", "atexit, failing", "atexit, first registered"]
    for pid in handlers:
        texts = [text for each, text in noted if each == pid]
        assert "thread" in texts
        assert texts.index("atexit, failing") > len(texts) - 1 - texts[::-1].index("thread")


def test_code_that_does_not_load_has_its_atexit_too(start, tmp_path, eventually):
    out = tmp_path / "out"
    start(
        "import atexit, os, pathlib\natexit.register(pathlib.Path(os.environ['OUT']).write_text, 'ran')\n1 / 0\n",
        OUT=out,
    )
    eventually(lambda: out.exists() and out.read_text() == "ran")


def test_a_request_that_is_interrupted_loses_nothing_of_those_before_it(start, tmp_path, eventually):
    out = tmp_path / "out"
    code = """
        import atexit, os, pathlib, time
        done = []
        atexit.register(lambda: pathlib.Path(os.environ["OUT"]).write_text(str(len(done))))
        def handle(request):
            if "sleep" in request.query: time.sleep(600)
            done.append(1)
    """
    instance = start(code, OUT=out)
    assert [instance.request().status for _ in range(3)] == [204] * 3
    assert instance.request("/?sleep", headers={"Kubewick-Deadline-Ms": "500"}).status == 504
    eventually(lambda: out.exists() and out.read_text() == "3")


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_an_end_that_never_ends_is_bounded_by_the_grace_period(start, kind):
    code = f"import atexit, time\natexit.register(time.sleep, 600)\n{kind} handle(): return 'ok'\n"
    instance = start(code, KUBEWICK_GRACE=0.5)
    assert instance.request().text == "ok"
    instance.terminate()
    assert instance.process.wait(20) == 1


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_is_frozen_with_all_other_objects_is_written(start, form, tmp_path):
    kind, init = FORMS[form]
    code = f"""
        import gc, os
        {init.strip()}
        written = None
        {kind} handle(request):
            global written
            written = written or open(os.environ["OUT"], "w")
            gc.freeze()
            written.write("wrote")
    """
    instance = start(code, OUT=tmp_path / "out")
    assert instance.request().status == 204
    assert instance.stop() == 0
    assert (tmp_path / "out").read_text() == "wrote"


TELEMETRY = """
import logging, os
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, ConsoleLogRecordExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

def out(kind):
    return open(f"{{os.environ['OUT']}}.{{os.getpid()}}.{{kind}}", "a")

{init}
telemetry = None
def setup():
    global telemetry
    traces, logs = TracerProvider(), LoggerProvider()
    traces.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter(out=out("traces")), schedule_delay_millis=600_000))
    logs.add_log_record_processor(
        BatchLogRecordProcessor(ConsoleLogRecordExporter(out=out("logs")), schedule_delay_millis=600_000)
    )
    metrics = MeterProvider([PeriodicExportingMetricReader(ConsoleMetricExporter(out=out("metrics")))])
    logger = logging.getLogger("function")
    logger.addHandler(LoggingHandler(logger_provider=logs))
    telemetry = traces.get_tracer("t"), metrics.get_meter("m").create_counter("calls"), logger, out("written")
{eager}
{kind} handle(request):
    if telemetry is None: setup()
    tracer, counter, logger, written = telemetry
    with tracer.start_as_current_span("call-" + request.query["n"]): counter.add(1)
    logger.warning("said-%s", request.query["n"])
    written.write("wrote-" + request.query["n"] + "\\n")
"""


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("eager", [True, False])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_open_telemetry_and_a_file_lose_nothing_that_was_ended(start, form, eager, tmp_path):
    kind, init = FORMS[form]
    code = TELEMETRY.format(kind=kind, init=init, eager="setup()" if eager else "")
    instance = start(code, OUT=tmp_path / "out")
    with ThreadPoolExecutor(3) as callers:
        assert set(callers.map(lambda n: instance.request(f"/?n={n}").status, range(9))) == {204}
    assert instance.stop() == 0
    found = {kind: "".join(f.read_text() for f in tmp_path.glob(f"out.*.{kind}")) for kind in KINDS}
    for n in range(9):
        assert f'"call-{n}"' in found["traces"]
        assert f"said-{n}" in found["logs"]
        assert f"wrote-{n}\n" in found["written"]
    assert sum(calls(json.loads(text)) for text in whole(found["metrics"])) == 9


def whole(text):
    """The JSON documents in a row of them."""
    return [f"{each}\n}}" for each in text.split("\n}\n")[:-1]]


def calls(exported):
    metrics = [m for r in exported["resource_metrics"] for s in r["scope_metrics"] for m in s["metrics"]]
    return sum(p["value"] for m in metrics if m["name"] == "calls" for p in m["data"]["data_points"])


KINDS = ("traces", "logs", "metrics", "written")

SENTRY = """
import os, sentry_sdk
sentry_sdk.init(dsn=os.environ["DSN"], auto_session_tracking=False)
{init}
{kind} handle(request):
    sentry_sdk.capture_message("event-" + request.query["n"])
"""


class Sentry(http.server.BaseHTTPRequestHandler):
    """Takes envelopes, each slowly, so that some are pending at the end."""

    def do_POST(self):
        self.server.slow.wait(0.1)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            import gzip

            body = gzip.decompress(body)
        self.server.events += [json.loads(line).get("message") for line in body.splitlines() if line.startswith(b"{")]
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        """Be quiet."""


@pytest.mark.parametrize("form", FORMS)
def test_sentry_loses_no_event(start, form):
    kind, init = FORMS[form]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sentry) as server:
        server.events, server.slow = [], threading.Event()
        threading.Thread(target=server.serve_forever).start()
        dsn = f"http://key@127.0.0.1:{server.server_port}/1"
        instance = start(SENTRY.format(kind=kind, init=init), DSN=dsn)
        for n in range(5):
            assert instance.request(f"/?n={n}").status == 204
        assert instance.stop() == 0
        server.shutdown()
    assert {f"event-{n}" for n in range(5)} <= set(server.events)
