"""One request and its answer.

    begin -> admitted -> forwarded -> response head -> response body -> settled
               |            |  ^ refused, unreached, broken: back to the queue while nothing may have run
               |            |  |
               +-- refuse --+--+---> the router's own answer -> settled
                            after the first byte of an answer: abort -> settled

An exchange is settled exactly once, in `_settle`; that frees its slot and its memory whatever ended it.
"""

from typing import TYPE_CHECKING, Final

from wick_api.header import RefusedBy
from wick_api.reason import Refusal
from wick_router.dispatch.action import Pending
from wick_router.http import heads, trace_context
from wick_router.http.refusal import STATUS_LINES, RefusedRequest, answer
from wick_router.http.trace_context import RequestTrace
from wick_router.proxy.access_log import AccessEntry

if TYPE_CHECKING:
    from wick_router.proxy.client_connection import ClientConnection
    from wick_router.proxy.instance_connection import InstanceConnection
    from wick_router.proxy.upstream import Upstream

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
"""Methods that may be sent twice (RFC 9110, 9.2.2)."""
WITH_BODY = frozenset((b"POST", b"PUT", b"PATCH"))
"""Methods whose requests say so when they have no body (RFC 9110, 8.6)."""
MAX_BREAKS = 2
"""How often an idempotent request is tried again after a connection broke."""
CLIENT_LEFT: Final = 0
"""The status in metrics and log of a request whose client left before the answer began."""


class ProxyExchange(Pending):
    """See the module. Fields of the rare cases are class attributes, so that a plain request sets few."""

    upstream: "Upstream | None" = None
    conn: "InstanceConnection | None" = None
    deadline = 0.0
    target = b"/"
    origin = b""
    """Rest of the request line, Host, and the lines that say who asked."""
    request_id = b""
    traceparent = b""
    minor = 1
    keep_alive = True
    length = 0
    chunked = False
    expects = False
    """The client waits for ``100 Continue`` before it sends the body."""
    upgrade = b""
    tail = b""
    """What the client sent behind a request for an upgrade."""
    refused: RefusedRequest | None = None
    received = 0
    """Bytes of the request's body so far."""
    body: list[bytes] | None = None
    """The body so far, while it may have to be sent (again)."""
    first = False
    """It is the first request of an instance that it waited for."""
    buffered = 0
    """Bytes of `body` charged to the memory of waiting requests."""
    trailers = b""
    request_done = False
    response_started = False
    response_chunked = False
    status = CLIENT_LEFT
    settled = False
    attempts = 0
    breaks = 0
    forwarded_at = 0.0
    served_by = ""
    """The instance it was last sent to; kept for the log."""
    waiting_since = 0.0
    queued = 0.0
    """Seconds waited for an instance."""
    connecting = 0.0
    """Seconds spent on connecting to one."""
    answered_at = 0.0
    """When the answer began; noted of a cold start and of a traced request."""
    trace: RequestTrace | None = None

    def __init__(self, client: "ClientConnection", method: bytes, now: float) -> None:
        self.client = client
        self.method = method
        self.arrived = now
        self.kept: list[bytes] = []

    # Request

    def access_entry(self, now: float) -> AccessEntry:
        """What the access log says of the settled request."""
        return AccessEntry(
            method=self.method.decode("latin-1"),
            path=self.target.decode("latin-1"),
            status=self.status,
            duration=round((now - self.arrived) * 1000, 3),
            namespace=self.upstream.key.namespace if self.upstream else "",
            function=self.upstream.key.name if self.upstream else "",
            request_id=self.request_id.decode("latin-1"),
            client=self.client.peer,
            queued=round(self.queued * 1000, 3),
            connect=round(self.connecting * 1000, 3),
            attempts=self.attempts,
            instance=self.served_by,
            listener="public" if self.client.public else "internal",
        )

    def begin(self, now: float) -> None:
        """It is this request's turn on its connection."""
        upstream = self.upstream
        if upstream is None or self.refused is not None:
            self.refuse(self.refused or RefusedRequest(Refusal.BAD_REQUEST, "the request has no function"))
            return
        self.deadline = self.arrived + upstream.timeout
        if self.trace is not None:
            self.trace.routed_at = self.client.plane.clock()
        upstream.admit(self, now)

    def feed(self, data: bytes) -> None:
        """A piece of the request's body."""
        if self.settled:
            return
        self.received += len(data)
        upstream = self.upstream
        if upstream is not None and self.received > upstream.max_request_bytes:
            if self.client.exchange is self:
                self.refuse(self.too_large())
            else:
                self.refused = self.too_large()  # told when it is its turn
            return
        if self.conn is not None:
            self.conn.send_body(self, data)
            if self.body is not None:
                self._keep(data)
        else:
            if self.body is None:
                self.body = []
            self.body.append(data)
            if upstream is not None:
                upstream.buffer(self, len(data))

    def feed_end(self, trailers: bytes) -> None:
        """The request is complete."""
        self.request_done = True
        if self.chunked:
            self.trailers = trailers
            if self.conn is not None:
                self.conn.send_end(trailers)

    def _keep(self, data: bytes) -> None:
        """Keep a sent piece for another try, as long as the whole is small."""
        if self.upstream is None or self.body is None or self.received > self.upstream.plane.config.replay_bytes:
            self.body = None
        else:
            self.body.append(data)

    def head(self, now: float) -> bytes:
        """The request as the instance reads it."""
        upstream = self.upstream
        assert upstream is not None  # noqa: S101 - only admitted requests are forwarded
        self.attempts += 1
        lines = upstream.deadline_lines if self.attempts == 1 and not self.queued else self._late_lines(now)
        if self.upgrade:
            lines += b"Connection: Upgrade\r\nUpgrade: %b\r\n" % self.upgrade
        if self.chunked:
            lines += b"Transfer-Encoding: chunked\r\n"
        elif self.length or self.method in WITH_BODY:
            lines += b"Content-Length: %d\r\n" % self.length
        if self.trace is not None:
            lines += b"Kubewick-Trace: 1\r\n"
        identity = b"X-Request-Id: %b\r\nTraceparent: %b\r\n" % (self.request_id, self.traceparent)
        return b"".join((self.method, b" ", self.target, self.origin, *self.kept, identity, lines, b"\r\n"))

    def _late_lines(self, now: float) -> bytes:
        """What is left of the deadline, which try this is, and whether it started its instance."""
        left = max(1, int((self.deadline - now) * 1000))
        lines = b"Kubewick-Deadline-Ms: %d\r\nKubewick-Attempt: %d\r\n" % (left, self.attempts)
        return lines + b"Kubewick-Cold-Start: 1\r\n" if self.first else lines

    def too_large(self) -> RefusedRequest:
        limit = self.upstream.max_request_bytes if self.upstream else 0
        return RefusedRequest(Refusal.BODY_TOO_LARGE, f"the body is larger than the {limit} bytes this function takes")

    # Response

    def response_head(self, status: int, framing: bytes, lines: list[bytes], request_id: bytes | None = None) -> bytes:
        """The answer's head for the client; `framing` is its length or coding, with line end.

        `request_id` is what the instance says: a function may have an id of its own.
        """
        self.response_started = True
        self.status = status
        self.body = None
        end = self._timing_lines() if self.cold or self.trace is not None else b""
        if self.client.plane.draining or not (self.request_done or self.upgrade):
            self.keep_alive = False
        if not self.keep_alive:
            end += b"Connection: close\r\n"
        elif not self.minor:
            end += b"Connection: keep-alive\r\n"
        return b"".join(
            (
                STATUS_LINES[status],
                *lines,
                b"X-Request-Id: ",
                request_id or self.request_id,
                b"\r\n",
                framing,
                end,
                b"\r\n",
            )
        )

    def _timing_lines(self) -> bytes:
        """What the client is told of where the time went: of a cold start, and where it asked."""
        self.answered_at = self.client.plane.clock()
        first_byte = max(0.0, self.answered_at - self.forwarded_at - self.connecting)
        if self.first and self.upstream is not None:
            self.upstream.observe_phase("first-byte", first_byte)
        lines = b"Server-Timing: %b\r\n" % heads.server_timing(self.steps())
        if self.cold:
            lines = b"Kubewick-Cold-Start: %d\r\n" % ((self.queued + self.connecting) * 1000) + lines
        return lines

    def steps(self) -> list[tuple[str, float]]:
        """Where the time went until the answer began, in milliseconds; "queue" holds a start's phases."""
        steps = [("queue", self.queued * 1000), ("connect", self.connecting * 1000)]
        if self.cold and self.slot is not None:
            steps += self.slot.instance.phases
        trace = self.trace
        if trace is not None:
            steps.insert(0, ("route", (trace.routed_at - self.arrived) * 1000))
            steps += trace_context.phases(trace.instance_timing)
        first_byte = max(0.0, self.answered_at - self.forwarded_at - self.connecting)
        return [*steps, ("first-byte", first_byte * 1000)]

    def interim(self, data: bytes) -> None:
        """An interim answer; HTTP/1.0 clients do not know them."""
        if self.minor:
            self.client.write(data)

    def done(self, now: float) -> None:
        """The answer is complete and written."""
        self._settle(now)
        if self.upgrade and self.keep_alive:
            self.client.not_upgraded(self.tail)
        self.client.answered(self, now)

    # Ends

    def refuse(self, refused: RefusedRequest) -> None:
        """Answer with an error; when an answer has begun, break it off."""
        if self.settled:
            return
        client = self.client
        now = client.plane.clock()
        self._detach()
        if self.response_started:
            self._settle(now)
            client.exchange = None
            client.abort()
            return
        self.status = refused.code
        if not self.request_done or client.plane.draining:
            self.keep_alive = False
        client.plane.refused(self.upstream, refused)
        function = str(self.upstream.key) if self.upstream is not None else ""
        client.write(
            answer(refused, function, self.request_id, close=not self.keep_alive, head_only=self.method == b"HEAD")
        )
        self._settle(now)
        if self.upgrade and self.keep_alive:
            client.not_upgraded(self.tail)
        client.answered(self, now)

    def broken(self, why: str, *, stale: bool) -> None:
        """The connection to the instance broke; `stale`: it had been used before and gave no byte of an answer.

        Only then is it likely that the instance hung up without having read the request, and only a method that may
        run twice is sent again. A request that broke a fresh connection may be what kills the instance.
        """
        upstream = self.upstream
        self.conn = None
        if self.settled or upstream is None:
            return
        retry = stale and not self.response_started and self.replayable and self.method in IDEMPOTENT
        if retry and self.breaks < MAX_BREAKS:
            self.breaks += 1
            upstream.retried("broken")
            self.waiting_since = now = upstream.plane.clock()
            upstream.carry_out(upstream.dispatch.broken(self, now))
        else:
            self.refuse(RefusedRequest(Refusal.INSTANCE_FAILED, why))

    def moved_on(self, how: RefusedBy) -> None:
        """The instance declined the request before user code ran."""
        upstream = self.upstream
        self.conn = None
        if upstream is not None and not self.settled:
            upstream.retried(how.value)
            self.waiting_since = now = upstream.plane.clock()
            upstream.carry_out(upstream.dispatch.refused(self, how, now))

    @property
    def replayable(self) -> bool:
        """Whether everything sent so far can be sent again."""
        return self.received == 0 or self.body is not None

    def expired(self) -> None:
        """The deadline has passed."""
        self.refuse(RefusedRequest(Refusal.DEADLINE, "the function did not answer within its timeout"))

    def client_left(self) -> None:
        """Nobody reads the answer."""
        self._detach()
        self._settle(self.client.plane.clock())

    def _detach(self) -> None:
        conn, self.conn = self.conn, None
        if conn is not None:
            conn.drop()

    def _settle(self, now: float) -> None:
        if self.settled:
            return
        self.settled = True
        upstream = self.upstream
        if upstream is not None:
            if self.buffered:
                upstream.unbuffer(self)
            if self.deadline:
                upstream.settled(self, now)
