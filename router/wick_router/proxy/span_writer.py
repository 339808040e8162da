"""Spans of settled requests, by OpenTelemetry's SDK. Imported only where traces are exported.

A request's spans::

    GET default/hello            server span; child of the caller's
      queue                      it waited for an instance; a start's phases are its children
        claim, transfer, fork, import, init, ...
      call                       client span: the instance, from the first byte sent to the last one read; its id is the
        handler, ...             parent that the function's own spans get; the instance's word on its time lies within

Phases are known by their durations: they stand one after the other, from the beginning of the span they lie in.
Names of attributes are those of OpenTelemetry's semantic conventions 1.37 (HTTP, FaaS).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from wick_router.http.trace_context import phases
from wick_router.proxy.tracing import Settled

SERVER_ERROR = 500
"""Statuses from here on are errors of a server span (semantic conventions, HTTP)."""


class SpanIds(RandomIdGenerator):
    """SpanIds that the request already has: it told them to its instance."""

    trace_id = 0
    span_id = 0

    def generate_span_id(self) -> int:
        found, self.span_id = self.span_id, 0
        return found or super().generate_span_id()

    def generate_trace_id(self) -> int:
        return self.trace_id or super().generate_trace_id()


class SpanWriter:
    """See the module. `offset` is the wall clock's seconds at 0 of the data plane's clock."""

    def __init__(self, offset: float) -> None:
        self._offset = offset
        self._ids = SpanIds()
        resource = Resource.create()
        if str(resource.attributes["service.name"]).startswith("unknown_service"):  # what the SDK says where nobody did
            resource = resource.merge(Resource({"service.name": "kubewick-router"}))
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, id_generator=self._ids, shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("wick_router")

    def shutdown(self) -> None:
        """Send what there is, within the exporter's bounds."""
        self._provider.shutdown()

    def write(self, settled: Settled) -> None:
        """Make the spans of a request."""
        trace = settled.trace
        self._ids.trace_id = int(trace.trace_id, 16)
        root = self._begin(
            f"{settled.method} {settled.namespace}/{settled.function}",
            _context(trace.trace_id, trace.parent_id) if trace.parent_id else Context(),
            settled.arrived,
            SpanKind.SERVER,
            trace.span_id,
        )
        root.set_attributes(_attributes(settled))
        inside = set_span_in_context(root)
        if settled.queued:
            begin = trace.routed_at or settled.arrived
            waited = self._begin("queue", inside, begin)
            self._phases(settled.start, set_span_in_context(waited), begin)
            waited.end(self._nanoseconds(begin + settled.queued))
        if settled.forwarded:
            call = self._begin("call", inside, settled.forwarded, SpanKind.CLIENT, trace.call_id)
            call.set_attributes(
                {"faas.instance": settled.instance, "http.request.resend_count": max(0, settled.attempts - 1)}
            )
            self._phases(phases(trace.instance_timing), set_span_in_context(call), settled.forwarded)
            call.end(self._nanoseconds(settled.ended))
        if settled.status >= SERVER_ERROR or not settled.status:
            root.set_status(StatusCode.ERROR)
        root.end(self._nanoseconds(settled.ended))

    def _phases(self, steps: Iterable[tuple[str, float]], context: Context, begin: float) -> None:
        for name, took in steps:
            span = self._begin(name, context, begin)
            begin += took / 1000
            span.end(self._nanoseconds(begin))

    def _begin(
        self, name: str, context: Context, begin: float, kind: SpanKind = SpanKind.INTERNAL, span_id: bytes = b"0"
    ) -> Span:
        self._ids.span_id = int(span_id, 16)
        return self._tracer.start_span(name, context, kind, start_time=self._nanoseconds(begin))

    def _nanoseconds(self, moment: float) -> int:
        return int((moment + self._offset) * 1e9)


def _context(trace_id: bytes, span_id: bytes) -> Context:
    caller = SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
    return set_span_in_context(NonRecordingSpan(caller))


def _attributes(settled: Settled) -> Mapping[str, Any]:
    path, _, query = settled.path.partition("?")
    found: dict[str, Any] = {
        "http.request.method": settled.method,
        "url.path": path,
        "faas.name": settled.function,
        "faas.coldstart": settled.cold,
        "k8s.namespace.name": settled.namespace,
        "client.address": settled.client,
        "kubewick.request_id": settled.request_id,
    }
    if query:
        found["url.query"] = query
    if settled.status:
        found["http.response.status_code"] = settled.status
    else:
        found["error.type"] = "client_left"
    if settled.status >= SERVER_ERROR:
        found["error.type"] = str(settled.status)
    return found
