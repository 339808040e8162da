"""Recorded traces on their way to an OpenTelemetry collector, off the path of requests.

    settled request --(bounded queue)--> thread: `SpanWriter` --> SDK's batches --> OTEL_EXPORTER_OTLP_ENDPOINT

Configured by the standard variables alone; without an endpoint nothing of it is imported.
"""

import logging
import queue
import threading
import time
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Protocol

from wick_api.settings import SettingInvalid
from wick_router.http.trace_context import RequestTrace, Sampler, sampler

if TYPE_CHECKING:
    from wick_router.proxy.exchange import ProxyExchange

log = logging.getLogger(__name__)

Phases = tuple[tuple[str, float], ...]

BACKLOG = 10_000
"""Requests that may wait to become spans; more are dropped, and counted."""
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
FLUSH = 2.0
"""Seconds for what is left at the end; what the collector has not taken then is lost."""


class Settled(NamedTuple):
    """A request that is over; times are seconds of the data plane's clock."""

    trace: RequestTrace
    method: str
    path: str
    namespace: str
    function: str
    instance: str
    client: str
    request_id: str
    status: int
    """0 where the client left before an answer began."""
    cold: bool
    attempts: int
    arrived: float
    queued: float
    forwarded: float
    """When it was sent to an instance; 0 where it never was."""
    ended: float
    start: Phases
    """Phases of the start it waited for, in milliseconds."""


class Writer(Protocol):
    """Makes spans; may block, raise and be slow."""

    def write(self, settled: Settled) -> None: ...

    def shutdown(self) -> None:
        """Send what there is."""


class Tracing:
    """See the module."""

    def __init__(self, chosen: Sampler, writer: Writer) -> None:
        self.sampler = chosen
        self.dropped = 0
        self._writer = writer
        self._queue: queue.Queue[Settled | None] = queue.Queue(BACKLOG)
        self._thread = threading.Thread(target=self._work, name="tracing", daemon=True)
        self._thread.start()

    def settled(self, exchange: "ProxyExchange", trace: RequestTrace, start: Phases, now: float) -> None:
        """Hand a request's trace over, if it is recorded; drops and counts it where the queue is full.

        `start` are the phases of its instance's start.
        """
        if not trace.recorded:
            return
        key = exchange.upstream.key if exchange.upstream is not None else None
        settled = Settled(
            trace,
            exchange.method.decode("latin-1"),
            exchange.target.decode("latin-1"),
            key.namespace if key else "",
            key.name if key else "",
            exchange.served_by,
            exchange.client.peer,
            exchange.request_id.decode("latin-1"),
            exchange.status,
            exchange.cold,
            exchange.attempts,
            exchange.arrived,
            exchange.queued,
            exchange.forwarded_at,
            now,
            start if exchange.cold else (),
        )
        try:
            self._queue.put_nowait(settled)
        except queue.Full:
            self.dropped += 1

    def stop(self) -> None:
        """Send what is left, within `FLUSH`."""
        try:
            self._queue.put(None, timeout=FLUSH)
        except queue.Full:
            return
        self._thread.join(timeout=FLUSH)

    def _work(self) -> None:
        while (settled := self._queue.get()) is not None:
            try:
                self._writer.write(settled)
            except Exception:
                log.exception("a trace was not exported", extra={"request_id": settled.request_id})
        self._writer.shutdown()


def configured(environment: Mapping[str, str]) -> Tracing | None:
    """What the standard variables ask for; None where they ask for nothing. `SettingInvalid` names the variable.

    The SDK and its exporter read the rest themselves: headers, certificates, compression, timeouts, batches, the
    resource's attributes, limits.
    """
    off = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if off or environment.get("OTEL_TRACES_EXPORTER", "otlp") == "none" or not any(map(environment.get, ENDPOINTS)):
        return None
    try:
        chosen = sampler(
            environment.get("OTEL_TRACES_SAMPLER") or "parentbased_always_on",
            environment.get("OTEL_TRACES_SAMPLER_ARG", ""),
        )
    except ValueError as error:
        raise SettingInvalid(str(error)) from error
    spans = import_module("wick_router.proxy.span_writer")  # 30 MB
    return Tracing(chosen, spans.SpanWriter(time.time() - time.monotonic()))
