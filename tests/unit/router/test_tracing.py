"""Requests that cannot become spans are dropped and counted; no request waits for a collector."""

import threading
from types import SimpleNamespace

import pytest

from wick_api import metric
from wick_router.admin import exposition
from wick_router.http.histogram import Histogram
from wick_router.http.trace_context import RequestTrace
from wick_router.proxy import tracing

EXCHANGE = SimpleNamespace(
    upstream=None, method=b"GET", target=b"/", served_by="", client=SimpleNamespace(peer=("127.0.0.1", 1)),
    request_id=b"1", status=200, cold=False, attempts=1, arrived=0.0, queued=0.0, forwarded_at=0.0,
)  # fmt: skip


class Slow:
    """A writer that takes one request and no other until `go`."""

    def __init__(self):
        self.took, self.go, self.written = threading.Event(), threading.Event(), 0

    def write(self, _settled):
        self.took.set()
        self.go.wait(60)
        self.written += 1

    def shutdown(self):
        pass


@pytest.fixture
def slow(monkeypatch):
    monkeypatch.setattr(tracing, "BACKLOG", 2)
    writer = Slow()
    yield tracing.Tracing(lambda *_: True, writer), writer
    writer.go.set()


def settle(traced, *, recorded=True):
    traced.settled(EXCHANGE, RequestTrace(b"t", b"", b"s", b"c", recorded=recorded), (), 1.0)


def test_what_does_not_fit_is_dropped_and_counted_and_the_rest_is_written(slow):
    traced, writer = slow
    settle(traced)
    assert writer.took.wait(60)
    for _ in range(5):
        settle(traced)
    assert traced.dropped == 3
    settle(traced, recorded=False)
    assert traced.dropped == 3, "what is not recorded is not missed"
    writer.go.set()
    traced.stop()
    assert writer.written == 3


@pytest.mark.parametrize(("traced", "shown"), [(None, 0), (SimpleNamespace(dropped=3), 3)])
def test_the_metrics_tell_how_many(traced, shown):
    plane = SimpleNamespace(
        tracing=traced, unrouted={}, clients=(), instance_connections=(), notifier=SimpleNamespace(outcomes={}),
        certificate=None, loop_lag=Histogram((1.0,)), upstreams={}, faults=SimpleNamespace(counts={}),
    )  # fmt: skip
    *_, page = exposition.write(plane, {metric.TRACES_DROPPED})
    assert f"\n{metric.TRACES_DROPPED} {shown}\n" in b"".join(page.pieces()).decode()
