"""What a handler may ask about its invocation."""

import contextvars
import os
import time
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import logging


class Identity(NamedTuple):
    """Which function this instance runs."""

    function: str
    namespace: str
    revision: str


class Context:
    """One invocation."""

    __slots__ = ("attempt", "cold_start", "deadline", "identity", "partial", "request_id", "traceparent")

    def __init__(
        self,
        request_id: str,
        identity: Identity,
        deadline: float,
        attempt: int = 1,
        *,
        cold_start: bool = False,
        traceparent: str = "",
    ) -> None:
        self.request_id = request_id
        self.identity = identity
        self.deadline = deadline
        """When time is up, in the seconds of `time.monotonic`."""
        self.attempt = attempt
        """1 for the first try."""
        self.cold_start = cold_start
        """Whether this request started the instance."""
        self.traceparent = traceparent
        """The W3C header as it came, or an empty string."""
        self.partial = ""

    @property
    def function(self) -> str:
        return self.identity.function

    @property
    def namespace(self) -> str:
        return self.identity.namespace

    @property
    def revision(self) -> str:
        return self.identity.revision

    @property
    def logger(self) -> "logging.Logger":
        """A standard logger; its lines carry the request id, like everything printed meanwhile."""
        import logging  # noqa: PLC0415 - a function that does not log does not pay for it

        return logging.getLogger(self.identity.function or "function")

    def remaining_time(self) -> float:
        """Seconds until the work is stopped; 0.0 when time is up."""
        return max(self.deadline - time.monotonic(), 0.0)


current: Final[contextvars.ContextVar[Context | None]] = contextvars.ContextVar("wick_runtime.context", default=None)


def request_ids() -> "Ids":
    return Ids(os.urandom(8).hex())


class Ids:
    """Ids for requests that came without one: a random prefix a process and a number."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._last = 0

    def next(self) -> bytes:
        self._last += 1
        return f"{self._prefix}{self._last:08x}".encode()
