"""What the autoscaler remembers of one function between looks, and how that becomes a `Seen`."""

from collections import Counter, deque
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from wick_api.function import Function
from wick_autoscaler.decisions.decision import Decision, Seen, Signal, Why
from wick_autoscaler.decisions.demand import IN_FLIGHT, REQUESTS, SECONDS, WAITING, Change
from wick_autoscaler.decisions.minimum import Minimum
from wick_autoscaler.decisions.policy import OWN_SIGNALS, Goal, policy
from wick_autoscaler.decisions.scaler import Replicas
from wick_autoscaler.decisions.window import History

_KEPT = 8


class Decided(Struct, frozen=True):
    """One decision with what it was made from."""

    at: datetime
    seen: Seen
    decision: Decision


class Outside(Struct, frozen=True):
    """A metric that routers do not know, as last read; None when it could not be."""

    stable: float | None = None
    panic: float | None = None
    trouble: str = "not read yet"
    """Why it could not be read."""


UNREAD = Outside()


class Track:
    """One function's demand, panic and recent decisions. Times are the loop's monotonic seconds."""

    __slots__ = (
        "_delayed",
        "_history",
        "_panic_peak",
        "_panic_since",
        "counts",
        "decided",
        "floor",
        "function",
        "in_flight",
        "last_demand",
        "outside",
        "policy",
        "since",
        "waiting",
    )

    def __init__(self, function: Function, now: float) -> None:
        self.since = self.last_demand = now
        self.in_flight = self.waiting = 0.0
        self.decided: deque[Decided] = deque(maxlen=_KEPT)
        """The last decisions that differed from the one before, oldest first."""
        self.counts: Counter[Why] = Counter()
        """All such decisions by reason."""
        self._history = History(now)
        self._panic_since: float | None = None
        self._panic_peak = 0
        self._delayed: deque[tuple[float, int]] = deque()
        self.function, self.policy = function, policy(function)
        self.floor = Minimum(self.policy.scale)
        self.outside: Sequence[Outside] = [UNREAD] * len(self.policy.goals)
        """By position in the policy's goals."""

    def changed(self, function: Function) -> None:
        """The Function was edited: what is known of its demand stays."""
        goals = self.policy.goals
        self.function, self.policy = function, policy(function)
        self.floor.adjust(self.policy.scale)
        if goals != self.policy.goals:
            self.outside = [UNREAD] * len(self.policy.goals)

    def count(self, since: float, now: float, change: Change, *, ready: int) -> None:
        """Take in what routers counted between two looks."""
        if not ready and since - self.last_demand >= self.policy.scale.window:
            self._history.restart(since)
        self.in_flight += change[IN_FLIGHT]
        self.waiting += change[WAITING]
        self.last_demand = max(self.last_demand, now)
        if change[SECONDS] or change[REQUESTS]:
            self._history.add(since, now, change[SECONDS], change[REQUESTS])
            self._history.forget(now - self.policy.scale.window - 1)

    def left(self) -> Change:
        """What routers will take back once this function's requests are over."""
        return [0.0, 0.0, self.in_flight, self.waiting]

    def told(self, now: float, outside: Sequence[Outside]) -> None:
        """Take in the metrics routers do not know. A prometheus value over its activation threshold is demand."""
        if len(outside) != len(self.policy.goals):
            return  # the Function was edited while they were being asked
        self.outside = outside
        for goal, reading in zip(self.policy.goals, outside, strict=True):
            value = reading.stable
            if goal.metric.type == "prometheus" and value is not None and value > goal.metric.activation_threshold:
                self.last_demand = now

    def seen(self, now: float, replicas: Replicas, *, complete: bool, until: float | None = None) -> Seen:
        """Everything `decide` may depend on; what routers counted is known `until` then, `now` if it is not said."""
        in_use = max(self.in_flight + self.waiting, 0.0)
        if in_use:
            self.last_demand = now
        while self._delayed and self._delayed[0][0] < now - self.policy.scale.down_delay:
            self._delayed.popleft()
        return Seen(
            replicas=replicas.wanted,
            ready=replicas.ready,
            signals=self._signals(now if until is None else until, in_use if not replicas.ready else 0.0),
            in_use=in_use,
            idle_for=now - self.last_demand,
            known_for=now - self.since,
            complete=complete,
            floor=self.floor.instances,
            floor_from=self.floor.why,
            panic_for=None if self._panic_since is None else now - self._panic_since,
            panic_peak=self._panic_peak,
            delayed_peak=self._delayed[0][1] if self._delayed else 0,
            fresh=replicas.fresh,
            others=replicas.others,
        )

    def _signals(self, now: float, at_zero: float) -> tuple[Signal, ...]:
        """Read every goal. With no instance ready, what waits right now is the load, whatever the averages say."""
        signals = []
        for position, goal in enumerate(self.policy.goals):
            stable, panic = self._averages(position, goal, now, at_zero)
            signals.append(Signal(goal.metric.type, goal.target, stable, panic))
        return tuple(signals)

    def _averages(self, position: int, goal: Goal, now: float, at_zero: float) -> tuple[float | None, float | None]:
        kind, scale, panic = goal.metric.type, self.policy.scale, self.policy.panic_window
        if kind not in OWN_SIGNALS:
            return self.outside[position].stable, self.outside[position].panic
        history = self._history
        if kind == "concurrency" and scale.average == "linear" and not at_zero:
            return history.concurrency(now, scale.window), history.concurrency(now, panic)
        if goal.metric.type == "queue":
            return max(self.waiting, 0.0), max(self.waiting, 0.0)
        if goal.metric.type == "rps":
            mean = history.rate if scale.average == "linear" else history.weighted_rate
            return mean(now, scale.window), mean(now, panic)
        mean = history.concurrency if scale.average == "linear" else history.weighted_concurrency
        return max(mean(now, scale.window), at_zero), max(mean(now, panic), at_zero)

    def remember(self, now: float, wall: datetime, seen: Seen, decision: Decision) -> bool:
        """Keep what the next decision depends on; whether this one differs from the last."""
        if decision.over:
            self._panic_since = now
        elif not decision.panicking:
            self._panic_since = None
        self._panic_peak = decision.wanted if decision.panicking else 0
        if self.policy.scale.down_delay:
            while self._delayed and self._delayed[-1][1] <= decision.wanted:
                self._delayed.pop()
            self._delayed.append((now, decision.wanted))
        self.floor.record(wall, decision.wanted)
        last = self.decided[-1].decision if self.decided else None
        if last is not None and last.replicas == decision.replicas and last.reason is decision.reason:
            return False
        self.decided.append(Decided(wall, seen, decision))
        self.counts[decision.reason] += 1
        return True
