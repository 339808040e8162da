"""Serves the data port while there is nothing to run: each request is told why, at once."""

from collections.abc import Callable

from wick_runtime.http.exchange import Exchange
from wick_runtime.http.message.refusal import ErrorAnswer


class StandIn:
    """Refuses everything with what `why` says at that moment."""

    hold = 0
    max_body = 1 << 40

    def __init__(self, why: Callable[[], ErrorAnswer]) -> None:
        self._why = why

    def admit(self, exchange: Exchange) -> ErrorAnswer | None:
        del exchange
        return self._why()

    def begin(self, exchange: Exchange) -> None:
        exchange.refuse(self._why())

    def release(self, exchange: Exchange) -> None:
        """Nothing was let in."""
