"""The metrics page, in Prometheus text, written in slices so that the loop is never held up for long.

Label strings are made once a function and revision. 1,000 functions take about 20 ms of CPU in slices of half a
millisecond each, during which other work goes on.
"""

from collections.abc import Container, Iterator
from typing import TYPE_CHECKING

from wick_api import metric
from wick_router.http.histogram import Histogram

if TYPE_CHECKING:
    from wick_router.proxy.data_plane import DataPlane
    from wick_router.proxy.upstream import Upstream

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
HELP = {
    metric.INFLIGHT_SECONDS: ("counter", "Request-seconds in flight or waiting; the rate is the mean concurrency."),
    metric.REQUESTS: ("counter", "Requests by the status the client saw; 0 when it left before an answer."),
    metric.DURATION: ("histogram", "Seconds of a request by phase: waiting, connecting, at the instance, in all."),
    metric.IN_FLIGHT: ("gauge", "Requests at instances now."),
    metric.QUEUE_DEPTH: ("gauge", "Requests waiting for an instance now."),
    metric.COLD_STARTS: ("counter", "Starts from zero that a request waited for."),
    metric.COLD_START_SECONDS: ("histogram", "Seconds from a request's arrival at zero to a ready instance."),
    metric.COLD_START_PHASE_SECONDS: ("histogram", "Steps of a start from zero, in seconds."),
    metric.COLD_START_FALLBACKS: ("counter", "Starts from zero that the warm pool could not serve, by reason."),
    metric.REFUSED: ("counter", "Requests the router answered itself, by reason."),
    metric.NOT_PUBLIC: ("counter", "Requests to a public listener for a function that is not public."),
    metric.RETRIES: ("counter", "Requests moved to another instance, by reason."),
    metric.CONNECTIONS: ("gauge", "Open connections by side."),
    metric.POKES: ("counter", "Messages to the autoscaler, by what became of them."),
    metric.CERTIFICATES: ("counter", "New TLS certificates found in the files, by what became of them."),
    metric.CERTIFICATE_REFUSED: ("gauge", "1 while the files hold a TLS certificate that cannot be used."),
    metric.TRACES_DROPPED: ("counter", "Requests that were to be traced and became no spans: too many waited."),
    metric.ROUTER_FAULTS: ("counter", "Defects that one function brought out, caught at its border."),
    metric.LOOP_LAG_SECONDS: ("histogram", "How late the event loop ran a timer."),
}  # fmt: skip
"""Type and help text of each family."""
PIECE = 50
"""Entries of a family in one piece of the page; a histogram is one entry, of 2 KB."""


class Page:
    """The lines of each family, which must stand together on the page."""

    def __init__(self, wanted: Container[str] = HELP) -> None:
        self.families: dict[str, list[str]] = {name: [] for name in HELP}
        self.wanted = wanted

    def pieces(self) -> Iterator[bytes]:
        """The page, a hundred kilobytes or so at a time: to join megabytes in one call would hold every thread up."""
        for name, lines in self.families.items():
            if name not in self.wanted:
                continue
            kind, words = HELP[name]
            yield f"# HELP {name} {words}\n# TYPE {name} {kind}\n".encode()
            for first in range(0, len(lines), PIECE):
                yield "".join(lines[first : first + PIECE]).encode()


def write(plane: "DataPlane", wanted: Container[str] = HELP) -> Iterator[Page]:
    """Fill a page, yielding it after each function; complete when the iterator ends.

    `wanted` families only: the autoscaler asks each second for a few, and histograms are most of the work.
    """
    page = Page(wanted)
    families = page.families
    unrouted = plane.unrouted
    families[metric.REFUSED] += [
        f'{metric.REFUSED}{{namespace="",function="",reason="{reason}"}} {count}\n'
        for reason, count in unrouted.items()
    ]
    families[metric.CONNECTIONS] += [
        f'{metric.CONNECTIONS}{{side="client"}} {len(plane.clients)}\n',
        f'{metric.CONNECTIONS}{{side="instance"}} {len(plane.instance_connections)}\n',
    ]
    families[metric.POKES] += [
        f'{metric.POKES}{{outcome="{outcome}"}} {count}\n' for outcome, count in plane.notifier.outcomes.items()
    ]
    certificate = plane.certificate
    if certificate is not None:
        families[metric.CERTIFICATES] += [
            f'{metric.CERTIFICATES}{{outcome="{outcome}"}} {count}\n' for outcome, count in certificate.outcomes.items()
        ]
        families[metric.CERTIFICATE_REFUSED].append(f"{metric.CERTIFICATE_REFUSED} {certificate.refused:d}\n")
    families[metric.TRACES_DROPPED].append(f"{metric.TRACES_DROPPED} {plane.tracing.dropped if plane.tracing else 0}\n")
    families[metric.LOOP_LAG_SECONDS].append(_histogram(metric.LOOP_LAG_SECONDS, "", (plane.loop_lag,)))
    yield page
    for upstream in list(plane.upstreams.values()):
        try:
            _lane(families, upstream, plane.clock(), wanted)
        except Exception as error:  # noqa: BLE001 - a border: one function's series hide no other's
            plane.faults.caught("metrics", upstream.key, error)
        yield page
    families[metric.ROUTER_FAULTS] += [
        f'{metric.ROUTER_FAULTS}{{border="{border}"}} {count}\n' for border, count in plane.faults.counts.items()
    ]
    yield page


def _lane(families: dict[str, list[str]], upstream: "Upstream", now: float, wanted: Container[str]) -> None:
    labels = upstream.labels
    dispatch = upstream.dispatch
    for revision, demand in dispatch.demands.items():
        label = f'{labels},revision="{revision}"'
        families[metric.INFLIGHT_SECONDS].append(f"{metric.INFLIGHT_SECONDS}{{{label}}} {demand.read(now):.6f}\n")
        families[metric.REQUESTS] += [
            f'{metric.REQUESTS}{{{label},code="{code}"}} {count}\n' for code, count in demand.codes.items()
        ]
    families[metric.IN_FLIGHT].append(f"{metric.IN_FLIGHT}{{{labels}}} {dispatch.in_flight}\n")
    families[metric.QUEUE_DEPTH].append(f"{metric.QUEUE_DEPTH}{{{labels}}} {len(dispatch.queue)}\n")
    families[metric.REFUSED] += [
        f'{metric.REFUSED}{{{labels},reason="{reason}"}} {count}\n' for reason, count in upstream.refusals.items()
    ]
    if upstream.not_public:
        families[metric.NOT_PUBLIC].append(f"{metric.NOT_PUBLIC}{{{labels}}} {upstream.not_public}\n")
    families[metric.RETRIES] += [
        f'{metric.RETRIES}{{{labels},reason="{reason}"}} {count}\n' for reason, count in upstream.retries.items()
    ]
    for path, histogram in upstream.cold_starts.items():
        label = f'{labels},path="{path}"'
        families[metric.COLD_STARTS].append(f"{metric.COLD_STARTS}{{{label}}} {histogram.count}\n")
        families[metric.COLD_START_SECONDS].append(_histogram(metric.COLD_START_SECONDS, label, (histogram,)))
    if metric.COLD_START_PHASE_SECONDS in wanted:
        families[metric.COLD_START_PHASE_SECONDS] += [
            _histogram(metric.COLD_START_PHASE_SECONDS, f'{labels},phase="{phase}"', (histogram,))
            for phase, histogram in upstream.phases.items()
        ]
    families[metric.COLD_START_FALLBACKS] += [
        f'{metric.COLD_START_FALLBACKS}{{{labels},reason="{reason}"}} {count}\n'
        for reason, count in upstream.fallbacks.items()
    ]
    if metric.DURATION in wanted and (upstream.warm.count or upstream.total.count or upstream.queue.count):
        _durations(families[metric.DURATION], upstream)


def _durations(lines: list[str], upstream: "Upstream") -> None:
    """The four phases; a warm request waited and connected for no time, and was at the instance all along."""
    warm = upstream.warm
    at_once = Histogram()
    at_once.counts[0] = warm.count
    for phase, histograms in (
        ("queue", (upstream.queue, at_once)),
        ("connect", (upstream.connect, at_once)),
        ("upstream", (upstream.upstream, warm)),
        ("total", (upstream.total, warm)),
    ):
        lines.append(_histogram(metric.DURATION, f'{upstream.labels},phase="{phase}"', histograms))


def _histogram(name: str, labels: str, histograms: tuple[Histogram, ...]) -> str:
    """The lines of one histogram: the sum of some with the same bounds."""
    comma = "," if labels else ""
    lines, running = [], 0
    counts = [sum(column) for column in zip(*(histogram.counts for histogram in histograms), strict=True)]
    for bound, count in zip(histograms[0].bounds, counts, strict=False):
        running += count
        lines.append(f'{name}_bucket{{{labels}{comma}le="{bound}"}} {running}\n')
    running += counts[-1]
    total = sum(histogram.sum for histogram in histograms)
    braces = f"{{{labels}}}" if labels else ""
    lines.append(
        f'{name}_bucket{{{labels}{comma}le="+Inf"}} {running}\n'
        f"{name}_sum{braces} {total:.6f}\n{name}_count{braces} {running}\n"
    )
    return "".join(lines)
