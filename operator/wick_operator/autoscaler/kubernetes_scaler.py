"""Kubernetes as a `Scaler`: a Function's instances are the replicas of its Deployment.

Who else scales a Deployment is left alone: a HorizontalPodAutoscaler for as long as it exists, and whoever outside
Kubewick wrote the replicas last (``kubectl scale``: seen from the managed fields) until the Function is edited, or the
router starts it from zero. A person's 0 has no manager (see `FencedWriter.scale`); it ends the claim to
`scale.initial`, and is otherwise like going idle.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from wick_api import names
from wick_api.function import Function
from wick_api.names import Key
from wick_autoscaler.decisions.decision import Decision, Why
from wick_autoscaler.decisions.scaler import NotScaled, Replicas
from wick_kube.error import ApiError, ApiNotFound, ApiUnreachable
from wick_operator.leader.fenced_writer import FencedWriter

_OURS = frozenset({names.OPERATOR, names.AUTOSCALER, names.ROUTER})
_HPA = "kube-controller-manager"
"""Who an HPA's writes are made by."""
_ROUTERS = 8.0
"""Seconds for which a first instance that requests ask for is the router's to start: it writes 0 -> 1 itself, and in a
burst beyond the warm pool not before those who wait for a Deployment are served."""
_STANDING = frozenset({Why.MIN, Why.INITIAL, Why.SCHEDULE, Why.PREDICTION})
"""Reasons for a first instance that no router knows of."""
_STARTING = 600.0
"""Seconds a new Function is given to have its initial instances."""


class Known(Protocol):
    """A Function as the operator keeps it."""

    @property
    def function(self) -> Function:
        """As last told."""

    @property
    def invalid(self) -> str:
        """Why its spec cannot be used."""

    @property
    def stable(self) -> Function | None:
        """The same object until spec or metadata change; None where invalid."""


class Deployed(Protocol):
    """A Deployment as the operator keeps it."""

    @property
    def uid(self) -> str:
        """Of this very Deployment."""

    @property
    def wanted(self) -> int:
        """`spec.replicas`."""

    @property
    def ready(self) -> int:
        """`status.readyReplicas`."""

    @property
    def managers(self) -> Sequence[str]:
        """Field managers of `spec.replicas`."""


class View(Protocol):
    """What of the operator's mirrors is needed here."""

    @property
    def functions(self) -> Mapping[Key, Known]:
        """All Functions."""

    @property
    def deployments(self) -> Mapping[Key, Deployed]:
        """Their Deployments."""

    def version(self, function: Function) -> str:
        """The resource version of this very Function; empty where it is not there any more."""

    def watch(self, told: Callable[[Key], None]) -> None:
        """`told` hears of each Function and Deployment that came, changed or went."""


class KubernetesScaler:
    """See the module."""

    def __init__(
        self,
        view: View,
        writer: FencedWriter,
        metrics: Callable[[Key], Iterable[str]],
        rival: Callable[[Key], str | None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._view, self._writer, self._metrics, self._rival, self._wall = view, writer, metrics, rival, wall
        self._honoured: dict[Key, int] = {}
        """Functions that others scale, and the generation of the Function since when."""
        self._started: set[Key] = set()
        self._left: dict[Key, float] = {}
        """Functions at zero whose first instance is left to a router, and since when."""
        self._changed: dict[Key, None] | None = None
        """Since the last call of `changed`; None before the first."""
        view.watch(self.touch)

    def touch(self, key: Key) -> None:
        """This function, its Deployment or its HPA changed."""
        if self._changed is not None:
            self._changed[key] = None

    def changed(self) -> Mapping[Key, Function | None] | None:
        """What was touched, as it is now."""
        touched, self._changed = self._changed, {}
        return None if touched is None else {key: _usable(self._view.functions.get(key)) for key in touched}

    def functions(self) -> Iterable[Function]:
        """Every Function that can be used and is not being deleted."""
        return [function for known in self._view.functions.values() if (function := _usable(known))]

    def replicas(self, key: Key) -> Replicas | None:
        """What the Deployment wants and has; None while there is none."""
        deployment, known = self._view.deployments.get(key), self._view.functions.get(key)
        if deployment is None or known is None:
            self._honoured.pop(key, None)
            self._started.discard(key)
            self._left.pop(key, None)
            return None
        if deployment.wanted:
            self._left.pop(key, None)
        return Replicas(
            wanted=deployment.wanted,
            ready=deployment.ready,
            uid=deployment.uid,
            fresh=self._fresh(key, known.function, deployment),
            others=self._others(key, known.function.metadata.generation, deployment.managers),
        )

    def _others(self, key: Key, generation: int, managers: Sequence[str]) -> str:
        rival = self._rival(key)
        if rival:
            return f"HorizontalPodAutoscaler {rival}"
        # The writes of an HPA that is gone bind nobody.
        nobody = _OURS if rival is None else _OURS | {_HPA}
        other = next((manager for manager in managers if manager not in nobody), "")
        if not other:
            self._honoured.pop(key, None)
            return ""
        return other if self._honoured.setdefault(key, generation) == generation else ""

    def _fresh(self, key: Key, function: Function, deployment: Deployed) -> bool:
        initial = function.spec.scale.initial
        if not initial or key in self._started:
            return False
        stopped = deployment.wanted == 0 and not deployment.managers
        old = self._wall() - _seconds(function.metadata.creation_timestamp) > _STARTING
        if stopped or old or deployment.ready >= initial:
            self._started.add(key)
            return False
        return True

    def instances(self, key: Key) -> Iterable[str]:
        """URLs of the instances' metrics."""
        return self._metrics(key)

    def _is_routers(self, key: Key, decision: Decision, replicas: Replicas) -> bool:
        if replicas.wanted or decision.replicas != 1 or decision.reason in _STANDING:
            self._left.pop(key, None)
            return False
        now = self._wall()
        return now - self._left.setdefault(key, now) < _ROUTERS

    async def scale(self, key: Key, decision: Decision, replicas: Replicas) -> None:
        """Write the Deployment's replicas, unless somebody changed them since they were looked at."""
        if self._is_routers(key, decision, replicas):
            return
        try:
            await self._writer.scale(
                key.namespace, names.deployment(key), decision.replicas, seen=replicas.wanted, uid=replicas.uid
            )
        except ApiNotFound:
            return  # the Function was just deleted
        except (ApiError, ApiUnreachable, TimeoutError) as error:
            raise NotScaled(str(error) or "no answer in time") from error


def _usable(known: Known | None) -> Function | None:
    function = known.stable if known else None
    return function if function and function.metadata.deletion_timestamp is None else None


def _seconds(timestamp: str) -> float:
    """Seconds since 1970 of an RFC 3339 time; 0 where there is none."""
    return datetime.fromisoformat(timestamp).astimezone(UTC).timestamp() if timestamp else 0.0
