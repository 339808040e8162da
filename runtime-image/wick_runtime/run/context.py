"""What a handler may ask about its invocation."""

import contextvars
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    import logging


class Identity(NamedTuple):
    """Which function this instance runs."""

    function: str
    namespace: str
    revision: str


class PartialLine:
    """A log line that has no end yet."""

    text = ""
    cut = 0
    """Characters behind `text` that were not kept."""
    undecoded = b""
    """The beginning of a character."""


class RequestOrigin(Protocol):
    """The request as the server holds it, in the event loop or in a handler process."""

    @property
    def request_id(self) -> bytes: ...
    @property
    def deadline(self) -> float: ...
    @property
    def attempt(self) -> int: ...
    @property
    def cold_start(self) -> bool: ...
    @property
    def headers(self) -> list[tuple[bytes, bytes]]: ...


class Context:
    """One invocation. Cheap to make: what a handler does not ask for is not worked out."""

    unfinished: dict[Any, PartialLine] | None = None
    """Text printed without a line's end yet, by its stream."""

    def __init__(self, origin: RequestOrigin, identity: Identity) -> None:
        self._origin = origin
        self.identity = identity

    @property
    def request_id(self) -> str:
        return self._origin.request_id.decode("latin-1")

    @property
    def deadline(self) -> float:
        """When time is up, in the seconds of `time.monotonic`."""
        return self._origin.deadline

    @property
    def attempt(self) -> int:
        """1 for the first try."""
        return self._origin.attempt

    @property
    def cold_start(self) -> bool:
        """Whether this request started the instance."""
        return self._origin.cold_start

    @property
    def traceparent(self) -> str:
        """The W3C header as it came, or an empty string."""
        return next((value.decode("latin-1") for name, value in self._origin.headers if name == b"traceparent"), "")

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


current: Final[contextvars.ContextVar[Context | None]] = contextvars.ContextVar(
    "wick_runtime.run.context", default=None
)
