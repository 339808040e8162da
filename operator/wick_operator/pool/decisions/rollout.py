"""Which rollout of a function a warm pod can hasten; pure.

```
   ReplicaSet of the present rollout: wants pods, none is ready  --+
                                                                   +--> it gets one warm pod, once
   another revision's ReplicaSet: has a ready pod                --+
```

A function at zero has no second ReplicaSet: its next request starts it from the pool. One warm pod is given to each
rollout, so an update that does not load costs one pod; the Deployment goes on from there at its own pace.
"""

from collections.abc import Sequence

from wick_operator.pool.decisions.adoption import TargetReplicaSet

MOST_REMEMBERED = 4096


def behind(homes: Sequence[TargetReplicaSet]) -> TargetReplicaSet | None:
    """The ReplicaSet a function's update waits for; None where nothing is being updated."""
    if not homes:
        return None
    newest = max(homes, key=lambda home: home.rollout)
    serving = any(home.ready for home in homes if home.revision != newest.revision)
    return newest if serving and not newest.ready else None


class Remembered:
    """Rollouts that had their pod; the oldest are forgotten when there are too many."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], None] = {}

    def first_time(self, home: TargetReplicaSet) -> bool:
        """Whether this is the first that is heard of the rollout.

        A ReplicaSet's own identity, because a function that was deleted and made again counts its rollouts anew.
        """
        name = (home.owner["uid"], home.rollout)
        if name in self._known:
            return False
        if len(self._known) >= MOST_REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[name] = None
        return True
