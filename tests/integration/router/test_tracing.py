"""One can follow a request: in its answer when the caller asks, at a collector when traces are recorded."""

import asyncio
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from cluster.waiting import PATIENCE, eventually
from wick_router.proxy.tracing import configured

PATH = b"GET /function/default/hello/x HTTP/1.1\r\nHost: any\r\n"
TIMED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKubewick-Timing: handler;dur=1.5\r\n\r\nok"
TRACE, PARENT = b"4bf92f3577b34da6a3ce929d0e0e4736", b"00f067aa0ba902b7"


def lines(head):
    pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:] if line)
    return {name.lower(): value.strip() for name, _, value in pairs}


@pytest.fixture
async def seen(world):
    """Heads an instance got; it always tells how long its handler took."""
    heads = []

    async def instance(connection):
        while True:
            heads.append(lines(await connection.head()))
            connection.send(TIMED)

    world.heads = heads
    world.script = instance
    return heads


class Collector:
    """The receiving end of OTLP over HTTP."""

    def __init__(self, gate=None):
        self.spans = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler):  # noqa: N805 - the library's name; `self` is the collector
                sent = handler.rfile.read(int(handler.headers["content-length"]))
                if gate is not None:
                    gate.wait(PATIENCE)
                for resource in ExportTraceServiceRequest.FromString(sent).resource_spans:
                    for scope in resource.scope_spans:
                        self.spans += scope.spans
                handler.send_response(200)
                handler.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def named(self, name):
        return [span for span in self.spans if span.name == name]

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def collector():
    made = Collector()
    yield made
    made.close()


@pytest.fixture
def exporting(world, monkeypatch):
    """Have the router of `world` export to this URL."""

    def export(url, **more):
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "50", **more}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        world.tracing = configured(variables)

    return export


async def test_a_caller_who_asks_is_told_where_the_time_went(world, seen):
    await world.serve(world.script)
    status, head, _ = await world.request(PATH + b"Kubewick-Trace: 1\r\n\r\n")
    steps = [step.split(b";")[0] for step in lines(head)[b"server-timing"].split(b", ")]
    assert (status, steps) == (200, [b"route", b"queue", b"connect", b"handler", b"first-byte"])
    assert b"handler;dur=1.5" in head
    assert b"kubewick-timing" not in lines(head)
    assert seen[-1][b"kubewick-trace"] == b"1"


async def test_who_does_not_ask_is_told_nothing(world, seen):
    await world.serve(world.script, public_port=0)
    for more in (b"", b"Kubewick-Trace: 0\r\n"):
        _, head, _ = await world.request(PATH + more + b"\r\n")
        assert not {b"server-timing", b"kubewick-timing"} & lines(head).keys()
        assert b"kubewick-trace" not in seen[-1]


async def test_callers_from_outside_cannot_ask(world, seen):
    from static import function

    await world.serve(world.script, function("hello", visibility="public"), public_port=0)
    client = await world.client(world.r.public_port)
    client.send(PATH + b"Kubewick-Trace: 1\r\n\r\n")
    _, head, _ = await client.answer()
    assert b"server-timing" not in lines(head)
    assert b"kubewick-trace" not in seen[-1]


async def test_a_recorded_request_is_spans_of_the_caller_s_trace(world, seen, collector, exporting):
    exporting(collector.url)
    await world.serve(world.script)
    given = b"Traceparent: 00-%b-%b-01\r\n" % (TRACE, PARENT)
    await world.request(PATH.replace(b"/x", b"/x?q=1") + given + b"X-Request-Id: me\r\n\r\n")
    await asyncio.to_thread(eventually, lambda: collector.named("GET default/hello"))
    (root,), (call,), (handler,) = map(collector.named, ("GET default/hello", "call", "handler"))
    assert {span.trace_id.hex().encode() for span in collector.spans} == {TRACE}
    assert (root.parent_span_id.hex().encode(), call.parent_span_id) == (PARENT, root.span_id)
    assert seen[-1][b"traceparent"] == b"00-%b-%b-01" % (TRACE, call.span_id.hex().encode())
    assert handler.parent_span_id == call.span_id
    assert handler.end_time_unix_nano - handler.start_time_unix_nano == pytest.approx(1.5e6, rel=0.01)
    assert root.start_time_unix_nano <= call.start_time_unix_nano <= call.end_time_unix_nano <= root.end_time_unix_nano
    about = {each.key: each.value.string_value or each.value.int_value for each in root.attributes}
    assert (about["faas.name"], about["k8s.namespace.name"]) == ("hello", "default")
    assert (about["url.path"], about["url.query"]) == ("/x", "q=1")
    assert (about["http.response.status_code"], about["kubewick.request_id"]) == (200, "me")


@pytest.mark.usefixtures("seen")
async def test_a_start_s_phases_lie_in_the_wait_for_it(world, collector, exporting):
    exporting(collector.url)
    await world.router()
    upstream = await world.upstream(world.script)
    client = await world.client()
    client.send(PATH + b"\r\n")
    await world.eventually(lambda: world.backend.activations)
    world.instances(upstream.instance(ready=True, phases=(("claim", 1.0), ("import", 2.0))))
    await client.answer()
    await asyncio.to_thread(eventually, lambda: collector.named("GET default/hello"))
    (queue,), (claim,), (imported,) = map(collector.named, ("queue", "claim", "import"))
    assert claim.parent_span_id == imported.parent_span_id == queue.span_id
    assert claim.end_time_unix_nano == imported.start_time_unix_nano


async def test_what_the_caller_or_the_sampler_leaves_out_is_not_recorded(world, seen, collector, exporting):
    exporting(collector.url, OTEL_TRACES_SAMPLER="parentbased_always_off")
    await world.serve(world.script)
    unsampled = b"Traceparent: 00-%b-%b-00\r\n" % (TRACE, PARENT)
    for more in (b"", unsampled):
        await world.request(PATH + more + b"\r\n")
    assert seen[-1][b"traceparent"] == b"00-%b-%b-00" % (TRACE, PARENT)
    await world.request(PATH + unsampled.replace(b"-00\r\n", b"-01\r\n") + b"\r\n")
    await asyncio.to_thread(eventually, lambda: collector.named("GET default/hello"))
    assert len(collector.named("GET default/hello")) == 1


async def test_a_refusal_is_a_span_with_its_error(world, collector, exporting):
    exporting(collector.url)
    await world.router(queue=1)
    first, second = await world.client(), await world.client()
    first.send(PATH + b"\r\n")
    await world.eventually(lambda: world.r.plane.live)
    second.send(PATH + b"\r\n")
    assert (await second.answer())[0] == 503
    await asyncio.to_thread(eventually, lambda: collector.named("GET default/hello"))
    (root,) = collector.named("GET default/hello")
    assert root.status.code == root.status.STATUS_CODE_ERROR
    assert not collector.named("call")


@pytest.mark.usefixtures("seen")
async def test_a_collector_that_never_answers_delays_no_request_and_not_the_end(world, exporting):
    gate = threading.Event()
    stuck = Collector(gate)
    exporting(stuck.url, OTEL_EXPORTER_OTLP_TIMEOUT="1")
    await world.serve(world.script)
    client = await world.client()
    for _ in range(50):
        client.send(PATH + b"\r\n")
        assert (await client.answer())[0] == 200
    await world.r.stop()
    gate.set()
    stuck.close()


def test_without_an_endpoint_nothing_is_recorded():
    assert configured({}) is None
    assert configured({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}) is None
    assert configured({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"}) is None
