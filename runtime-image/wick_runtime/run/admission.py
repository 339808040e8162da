"""The hard limit of requests in flight, and what each one may take: shared by every kind of application."""

from wick_runtime.config import RequestLimits
from wick_runtime.http.exchange import Exchange
from wick_runtime.http.message.refusal import ErrorAnswer
from wick_runtime.ipc.request_counter import Tally
from wick_runtime.ipc.shared_table import OUTCOMES, SharedTable

OK, ERROR, TIMEOUT, CRASH, REFUSED, DISCONNECT = range(len(OUTCOMES))

DEADLINE = ErrorAnswer(504, "deadline", "the function did not answer within its time")
DRAINING = ErrorAnswer(503, "shutting-down", "this instance is shutting down", refused="draining")

REPLACED = ErrorAnswer(
    503, "shutting-down", "the process of this instance's handlers is being replaced", refused="loading"
)

CUT = ErrorAnswer(503, "shutting-down", "this instance was shut down before the function had answered")


class Admission:
    """Counts who is in, and turns the rest away at once."""

    def __init__(self, limits: RequestLimits, table: SharedTable) -> None:
        self.limits = limits
        self.table = table
        self._tally = Tally(table)
        self.in_flight = 0
        self.draining = False
        self.leaving = DRAINING
        """What whoever comes while `draining` is told."""
        self._full = ErrorAnswer(
            429, "too-many-requests", f"this instance is at its limit of {limits.concurrency}", refused="concurrency"
        )

    def enter(self) -> ErrorAnswer | None:
        """Let one in, or say why not."""
        if self.draining:
            return self.leaving
        if self.in_flight >= self.limits.concurrency:
            return self._full
        self.in_flight += 1
        return None

    def leave(self) -> None:
        """One is done."""
        self.in_flight -= 1

    def done(self, exchange: Exchange, outcome: int, now: float) -> None:
        """One that ran is done: count it."""
        self.in_flight -= 1
        self._tally.count(outcome, now - exchange.begun)

    def flush(self) -> None:
        """The counts go where others see them."""
        self._tally.flush()
