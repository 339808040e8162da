"""One function in the data plane: carries out what its `Dispatcher` decides, and counts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wick_api.function import Function
from wick_api.names import Key
from wick_api.reason import Reason
from wick_router.backend import Instance
from wick_router.dispatch.action import Actions, Activate, ColdStarted, Dial, EndpointState, Forward, Refuse
from wick_router.dispatch.dispatcher import Dispatcher
from wick_router.http.histogram import COLD_START_BUCKETS, PHASE_BUCKETS, Histogram
from wick_router.http.refusal import RefusedRequest
from wick_router.proxy.client_connection import Hold
from wick_router.proxy.endpoint import Endpoint
from wick_router.proxy.exchange import ProxyExchange

if TYPE_CHECKING:
    from asyncio import TimerHandle

    from wick_router.proxy.data_plane import DataPlane


class Upstream:
    """See the module."""

    def __init__(self, plane: "DataPlane", key: Key) -> None:
        self.plane = plane
        self.key = key
        self.labels = f'namespace="{key.namespace}",function="{key.name}"'
        """As they stand in every series of this function."""
        self.function: Function | None = None
        self.public = False
        self.timeout = 60.0
        self.max_request_bytes = 0
        self.deadline_lines = b""
        self.idle_timeout = 0.0
        self.dispatch = Dispatcher(1, plane.config.queue, "", plane.clock())
        self.endpoints: dict[EndpointState, Endpoint] = {}
        self.buffered = 0
        """Bytes of waiting requests' bodies."""
        self._timer: TimerHandle | None = None
        self._timer_at = 0.0
        self.notified_depth = 0
        # Counters
        self.warm = Histogram()
        """Seconds from forwarding to the end of the answer, of requests that neither waited nor had to connect."""
        self.queue = Histogram()
        self.connect = Histogram()
        self.upstream = Histogram()
        self.total = Histogram()
        """The four of the other requests."""
        self.cold_starts: dict[str, Histogram] = {}
        self.last_cold_start: tuple[float, str, float] | None = None
        """Seconds it took, how the instance came up, and when on the plane's clock."""
        self.phases: dict[str, Histogram] = {}
        """Steps of starts from zero."""
        self.fallbacks: dict[str, int] = {}
        """Starts that the warm pool could not serve, by reason."""
        self.refusals: dict[str, int] = {}
        self.retries: dict[str, int] = {}
        self.not_public = 0
        """Requests that came to a public listener while the function was not public."""

    # What the backend says

    def configure(self, function: Function) -> None:
        self.function = function
        spec = function.spec
        config = self.plane.config
        self.public = function.public
        self.timeout = float(spec.timeout)
        self.max_request_bytes = spec.max_request_bytes
        milliseconds = max(1, int(self.timeout * 1000))
        self.deadline_lines = b"Kubewick-Deadline-Ms: %d\r\nKubewick-Attempt: 1\r\n" % milliseconds
        self.idle_timeout = config.image_idle_timeout if spec.image else config.instance_idle_timeout
        revision, wanted = (_text(function.status.get(name)) for name in ("revision", "wantedRevision"))
        self.carry_out(self.dispatch.configured(spec.concurrency, revision, self._now(), wanted))

    def gone(self) -> None:
        self.carry_out(self.dispatch.gone(self._now()))
        self.instances(())

    def instances(self, instances: Sequence[Instance]) -> None:
        actions = self.dispatch.instances(instances, self._now())
        slots = set(self.dispatch.slots.values())
        for slot in self.endpoints.keys() - slots:
            self.endpoints.pop(slot).retire()
        for slot in slots:
            endpoint = self.endpoints.get(slot)
            if endpoint is None:
                self.endpoints[slot] = Endpoint(self, slot)
            elif not slot.live:
                endpoint.retire()
        self.carry_out(actions)

    def failed(self, reason: Reason, message: str) -> None:
        self.carry_out(self.dispatch.failed(reason, message, self._now()))

    def fell_back(self, reason: str) -> None:
        self.fallbacks[reason] = self.fallbacks.get(reason, 0) + 1

    def recovered(self) -> None:
        self.carry_out(self.dispatch.recovered(self._now()))

    # Requests

    def admit(self, exchange: ProxyExchange, now: float) -> None:
        """A request's turn has come on its connection."""
        self.plane.live.add(exchange)
        slot = self.dispatch.place(exchange, now)
        if slot is not None:
            self._forward(exchange, slot, now)
            return
        exchange.waiting_since = now
        self.carry_out(self.dispatch.wait(exchange, now))
        depth = len(self.dispatch.queue)
        enough = depth <= self.dispatch.capacity and not self.dispatch.serving()
        self.notified_depth = self.plane.notifier.waiting(self.key, depth, self.notified_depth, enough=enough)

    def settled(self, exchange: ProxyExchange, now: float) -> None:
        """A request is over, whatever ended it."""
        plane = self.plane
        plane.live.discard(exchange)
        dispatch = self.dispatch
        slot = exchange.slot
        codes = slot.demand.codes if slot is not None else dispatch.demands[dispatch.revision].codes
        status = exchange.status
        codes[status] = codes.get(status, 0) + 1
        actions = dispatch.finished(exchange, now)
        if not (exchange.queued or exchange.connecting) and exchange.forwarded_at:
            self.warm.observe(now - exchange.forwarded_at)
        else:
            self._measure(exchange, now)
        if actions:
            self.carry_out(actions)
        if plane.access is not None and plane.access.sampled():
            plane.access.write(exchange.access_entry(now))
        if exchange.trace is not None and plane.tracing is not None:
            plane.tracing.settled(exchange, exchange.trace, slot.instance.phases if slot is not None else (), now)

    def carry_out(self, actions: Actions) -> None:
        """Do what was decided, in order."""
        for action in actions:
            match action:
                case Forward(pending, slot) if isinstance(pending, ProxyExchange):
                    self._forward(pending, slot, self._now())
                case Refuse(pending, refusal, message, reason) if isinstance(pending, ProxyExchange):
                    pending.refuse(RefusedRequest(refusal, message, reason))
                case Activate():
                    self._activate()
                case Dial(slot):
                    self.endpoints[slot].dial()
                case ColdStarted(slot, seconds):
                    self._started(slot, seconds)
        self._arm()

    def _activate(self) -> None:
        """Ask for a first instance, where the operator makes any in this namespace."""
        namespace = self.key.namespace
        if namespace in self.plane.config.excluded_namespaces:
            said = f"this installation serves no Functions in namespace {namespace} (excludedNamespaces)"
            self.plane.loop.call_soon(self.failed, Reason.NAMESPACE_EXCLUDED, said)
        else:
            self.plane.backend.activate(self.key)

    def _forward(self, exchange: ProxyExchange, slot: EndpointState, now: float) -> None:
        if exchange.waiting_since:
            exchange.queued += now - exchange.waiting_since
            exchange.waiting_since = 0.0
        if exchange.buffered:
            self.unbuffer(exchange)
        exchange.forwarded_at = now
        exchange.served_by = slot.instance.id
        endpoint = self.endpoints[slot]
        if endpoint.fresh:
            endpoint.fresh = False
            exchange.first = exchange.cold
        if endpoint.idle:
            endpoint.idle.pop().carry(exchange, now)
        else:
            endpoint.connect(exchange, now)

    def _arm(self) -> None:
        """See that `tick` is called when it is due."""
        due = self.dispatch.due()
        if due is None:
            return
        if self._timer is not None:
            if self._timer_at <= due:
                return  # it looks again then
            self._timer.cancel()
        self._timer_at = due
        self._timer = self.plane.loop.call_later(max(0.001, due - self._now()), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.carry_out(self.dispatch.tick(self._now()))

    # Memory of waiting bodies

    def buffer(self, exchange: ProxyExchange, size: int) -> None:
        """Charge a piece of a body that has to wait; when the memory is used up its client is not read further."""
        exchange.buffered += size
        self.buffered += size
        self.plane.buffered += size
        config = self.plane.config
        if self.buffered > config.queue_bytes or self.plane.buffered > config.total_queue_bytes:
            exchange.client.hold(Hold.MEMORY)

    def unbuffer(self, exchange: ProxyExchange) -> None:
        self.buffered -= exchange.buffered
        self.plane.buffered -= exchange.buffered
        exchange.buffered = 0
        exchange.client.release(Hold.MEMORY)

    # Counting

    def retried(self, reason: str) -> None:
        self.retries[reason] = self.retries.get(reason, 0) + 1

    def _started(self, slot: EndpointState, seconds: float) -> None:
        histogram = self.cold_starts.setdefault(slot.instance.origin, Histogram(COLD_START_BUCKETS))
        histogram.observe(seconds)
        self.last_cold_start = (seconds, slot.instance.origin, self._now())
        steps = {name: took / 1000 for name, took in slot.instance.phases}
        self.observe_phase("activate", max(0.0, seconds - sum(steps.values())))
        for name, took in steps.items():
            self.observe_phase(name, took)

    def observe_phase(self, name: str, seconds: float) -> None:
        """A step of a start took so long."""
        self.phases.setdefault(name, Histogram(PHASE_BUCKETS)).observe(seconds)

    def _measure(self, exchange: ProxyExchange, now: float) -> None:
        if not exchange.forwarded_at:
            self.queue.observe(now - exchange.arrived)
            return
        self.queue.observe(exchange.queued)
        self.connect.observe(exchange.connecting)
        self.upstream.observe(now - exchange.forwarded_at - exchange.connecting)
        self.total.observe(now - exchange.arrived)

    def _now(self) -> float:
        return self.plane.clock()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
