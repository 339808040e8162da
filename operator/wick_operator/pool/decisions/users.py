"""Which functions could use which pool, and which of them are coming up from zero. Pure; `now` in seconds comes in.

    touch(key) --> look(now): that function again, and those that are starting --> pools that a start was asked of
                                                                              +--> `pools`, `starting`

Only what was touched is looked at, so thousands of functions at rest cost nothing.
"""

from collections import Counter
from collections.abc import Callable, Collection

from wick_api import warm
from wick_api.fault import Faults
from wick_api.function import Function
from wick_api.names import Key
from wick_operator.observed.snapshot import Deployment

Pool = tuple[str, str]
"""Namespace and runtime."""

STARTING = 10.0
"""Seconds for which a function that came up from zero, and has no ready pod yet, keeps its pool from growing."""


class Users:
    """See the module; `function` (None: not there, or not to be used) and `deployment` read the operator's view."""

    def __init__(
        self,
        function: Callable[[Key], Function | None],
        deployment: Callable[[Key], Deployment | None],
        runtimes: Collection[str],
        faults: Faults | None = None,
    ) -> None:
        self._faults = faults or Faults()
        self._function, self._deployment, self._runtimes = function, deployment, runtimes
        self._touched: set[Key] = set()
        self._pool: dict[Key, Pool] = {}
        self._rests: dict[Key, bool] = {}
        """Whether it may be at zero, as its spec says."""
        self._counts: Counter[tuple[Pool, bool]] = Counter()
        self._wanted: dict[Key, int] = {}
        """Instances asked for when it was last looked at."""
        self._since: dict[Key, float] = {}
        """When functions that have no ready pod yet came up from zero."""

    @property
    def pools(self) -> frozenset[Pool]:
        """Those that some function could use."""
        return frozenset(pool for pool, _ in self._counts)

    def resting(self, pool: Pool) -> int:
        """How many of a pool's functions may be at zero, whether or not they are."""
        return self._counts[pool, True]

    @property
    def starting(self) -> frozenset[Pool]:
        """Those whose pods a function that comes up from zero may be about to take."""
        return frozenset(self._pool[key] for key in self._since)

    def touch(self, key: Key) -> None:
        """This function or its Deployment came, changed or went."""
        self._touched.add(key)

    def look(self, now: float) -> list[Pool]:
        """Take in what was touched; the pools of those that came up from zero since the last look."""
        touched, self._touched = self._touched, set()
        started: list[Pool] = []
        for key in touched | self._since.keys():
            try:
                started += self._look_at(key, now)
            except Exception as error:  # noqa: BLE001 - a border: a pool's size does not hang on one function
                self._faults.caught("warm pool's users", key, error)
            else:
                self._faults.passed("warm pool's users", key)
        return started

    def _look_at(self, key: Key, now: float) -> list[Pool]:
        function = self._function(key)
        pool = self._of(function)
        self._count(key, pool, rests=function is not None and function.spec.scale.min == 0)
        return [pool] if pool is not None and self._starts(key, now) else []

    def _of(self, function: Function | None) -> Pool | None:
        if function is None or function.spec.runtime not in self._runtimes or not could_use(function):
            return None
        return function.key.namespace, function.spec.runtime

    def _count(self, key: Key, pool: Pool | None, *, rests: bool) -> None:
        before = self._pool.pop(key, None)
        if before is not None:
            counted = before, self._rests.pop(key)
            self._counts[counted] -= 1
            if not self._counts[counted]:
                del self._counts[counted]
        if pool is None:
            self._wanted.pop(key, None)
            self._since.pop(key, None)
        else:
            self._pool[key], self._rests[key] = pool, rests
            self._counts[pool, rests] += 1

    def _starts(self, key: Key, now: float) -> bool:
        """Whether it came up from zero since the last look; notes how far it is."""
        deployment = self._deployment(key)
        wanted = deployment.wanted if deployment else 0
        started = bool(wanted) and self._wanted.get(key) == 0
        if started:
            self._since[key] = now
        if not deployment or not wanted or deployment.ready or now - self._since.get(key, now) > STARTING:
            self._since.pop(key, None)
        self._wanted[key] = wanted
        return started


def could_use(function: Function) -> bool:
    """Whether a warm pod could ever be this function's: a quick look; the claim compares shapes exactly."""
    return not warm.hindered(function.spec) and function.metadata.deletion_timestamp is None
