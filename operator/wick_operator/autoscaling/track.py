"""What the autoscaler remembers of one function between looks, and how that becomes a `Seen`."""

from collections import deque
from collections.abc import Mapping

from wick_api.function import Function
from wick_operator.autoscaling.decision import Decision, Seen, Signal, Why
from wick_operator.autoscaling.demand import IN_FLIGHT, REQUESTS, SECONDS, WAITING, Change
from wick_operator.autoscaling.policy import OWN_SIGNALS, policy
from wick_operator.autoscaling.scaler import Replicas
from wick_operator.autoscaling.window import History

_KEPT = 8
Outside = Mapping[str, tuple[float | None, float | None]]
"""Stable and short average of the metrics that routers do not know, by `Goal` position as text."""


class Track:
    """One function's demand, panic and recent decisions. Times are the loop's monotonic seconds."""

    __slots__ = (
        "_delayed",
        "_history",
        "_panic_peak",
        "_panic_since",
        "decided",
        "due",
        "function",
        "in_flight",
        "last_demand",
        "policy",
        "since",
        "waiting",
    )

    def __init__(self, function: Function, now: float) -> None:
        self.since = self.last_demand = now
        self.in_flight = self.waiting = 0.0
        self.due = now
        """When to decide again though nothing new was seen."""
        self.decided: deque[tuple[float, Seen, Decision]] = deque(maxlen=_KEPT)
        """The last decisions that differed from the one before, oldest first."""
        self._history = History(now)
        self._panic_since: float | None = None
        self._panic_peak = 0
        self._delayed: deque[tuple[float, int]] = deque()
        self.function, self.policy = function, policy(function)

    def changed(self, function: Function, now: float) -> None:
        """The Function was edited: what is known of its demand stays."""
        self.function, self.policy, self.due = function, policy(function), now

    def count(self, since: float, now: float, change: Change, *, ready: int) -> None:
        """Take in what routers counted between two looks."""
        quiet = since - self.last_demand
        if not ready and quiet >= self.policy.scale.window:
            self._history.restart(since)
        self.in_flight += change[IN_FLIGHT]
        self.waiting += change[WAITING]
        self.last_demand = now
        if change[SECONDS] or change[REQUESTS]:
            self._history.add(since, now, change[SECONDS], change[REQUESTS])
            self._history.forget(now - self.policy.scale.window - 1)

    def left(self) -> Change:
        """What routers will take back once this function's requests are over."""
        return [0.0, 0.0, self.in_flight, self.waiting]

    def seen(self, now: float, replicas: Replicas, *, complete: bool, outside: Outside) -> Seen:
        """Everything `decide` may depend on."""
        in_use = max(self.in_flight, 0.0) + max(self.waiting, 0.0)
        if in_use:
            self.last_demand = now
        while self._delayed and self._delayed[0][0] < now - self.policy.scale.down_delay:
            self._delayed.popleft()
        return Seen(
            replicas=replicas.wanted,
            ready=replicas.ready,
            signals=self._signals(now, in_use if not replicas.ready else 0.0, outside),
            in_use=in_use,
            idle_for=now - self.last_demand,
            known_for=now - self.since,
            complete=complete,
            floor=self.policy.scale.min,
            floor_from=Why.MIN,
            panic_for=None if self._panic_since is None else now - self._panic_since,
            panic_peak=self._panic_peak,
            delayed_peak=self._delayed[0][1] if self._delayed else 0,
            fresh=replicas.fresh,
            others=replicas.others,
        )

    def _signals(self, now: float, at_zero: float, outside: Outside) -> tuple[Signal, ...]:
        """Read every goal. With no instance ready, what waits right now is the load, whatever the averages say."""
        return tuple(
            Signal(
                goal.metric.type,
                goal.target,
                *(
                    self._own(goal.metric.type, now, at_zero)
                    if goal.metric.type in OWN_SIGNALS
                    else outside.get(str(position), (None, None))
                ),
            )
            for position, goal in enumerate(self.policy.goals)
        )

    def _own(self, kind: str, now: float, at_zero: float) -> tuple[float, float]:
        history, scale, panic = self._history, self.policy.scale, self.policy.panic_window
        if kind == "queue":
            return max(self.waiting, 0.0), max(self.waiting, 0.0)
        if kind == "rps":
            mean = history.rate if scale.average == "linear" else history.weighted_rate
            return mean(now, scale.window), mean(now, panic)
        mean = history.concurrency if scale.average == "linear" else history.weighted_concurrency
        return max(mean(now, scale.window), at_zero), max(mean(now, panic), at_zero)

    def remember(self, now: float, seen: Seen, decision: Decision) -> None:
        """Keep what the next decision depends on."""
        self.due = now + decision.recheck_after
        if decision.over:
            self._panic_since = now
        elif not decision.panicking:
            self._panic_since = None
        self._panic_peak = decision.wanted if decision.panicking else 0
        if self.policy.scale.down_delay:
            while self._delayed and self._delayed[-1][1] <= decision.wanted:
                self._delayed.pop()
            self._delayed.append((now, decision.wanted))
        last = self.decided[-1][2] if self.decided else None
        if last is None or (last.replicas, last.reason) != (decision.replicas, decision.reason):
            self.decided.append((now, seen, decision))
