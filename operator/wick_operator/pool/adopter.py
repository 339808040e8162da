"""Follows each claimed pod until its function's Deployment owns it, or it is gone.

One task a claimed pod, made when the watch shows the claim, whoever made it; so an operator that starts late, or leads
anew, finishes what it finds. Each look gathers, lets `adoption.decide` decide, and acts through the fence. Deployments
and ReplicaSets come from mirrors and wake the task when they change, so a claim costs the API server its adoption only.

A pod is followed past its adoption, until the label that holds the function's own pods back is gone; one that has once
said that it serves is not asked again.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import aiohttp
from msgspec import Struct

from wick_api import diagnosis, names, warm
from wick_api.fault import Faults
from wick_api.names import Key
from wick_kube import evidence
from wick_kube.cluster import Cluster
from wick_kube.error import ApiConflict, ApiError, ApiNotFound, ApiRefused, ApiUnreachable
from wick_kube.reflector import Address, Reflector
from wick_kube.resource import PODS, REPLICA_SETS
from wick_operator import metrics
from wick_operator.leader.fenced_writer import FencedWriter
from wick_operator.pool.decisions.adoption import (
    READY,
    AdoptionFacts,
    AdoptionPlan,
    Step,
    TargetReplicaSet,
    adopt,
    decide,
    home,
    release,
)
from wick_operator.pool.resize import resize

log = logging.getLogger(__name__)

Manifest = Mapping[str, Any]

FIRST_LOOK, LONGEST_PAUSE = 0.1, 2.0
"""Seconds between looks: doubled each time."""
AT_ONCE = 8
"""Claims looked at at the same time: adoption is off the path, and the API server has better to do."""


class FunctionFacts(Struct, frozen=True):
    """What the operator's view says of a function."""

    exists: bool
    replicas: int | None
    """Of its Deployment's spec; None where there is none."""
    current: str
    """Revision of the Deployment's template."""
    resources: Mapping[str, Any] | None = None
    """What that gives its container; None where it is not known."""
    unloadable: str = ""
    """The revision whose code does not load, as its status says; empty where it says no such thing."""


class Adopter:
    """See the module; `rolled` is told each change of a function's ReplicaSets, `clock` is monotonic seconds."""

    def __init__(  # noqa: PLR0913, PLR0917 - the doors it uses
        self,
        cluster: Cluster,
        fence: FencedWriter,
        session: aiohttp.ClientSession,
        known: Callable[[Key], FunctionFacts],
        rolled: Callable[[Key, Sequence[TargetReplicaSet]], None],
        namespaces: tuple[str | None, ...],
        clock: Callable[[], float],
        faults: Faults | None = None,
    ) -> None:
        self._faults = faults or Faults()
        self._rolled = rolled
        self._fence, self._session = fence, session
        self._known, self._clock = known, clock
        self._permits = asyncio.Semaphore(AT_ONCE)
        self._claimed: dict[Address, Manifest] = {}
        self._tasks: dict[Address, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup
        self._homes: dict[Key, dict[Address, TargetReplicaSet]] = {}
        self._moved: dict[Key, asyncio.Event] = {}
        self._reflectors: list[Reflector[Any]] = []
        for namespace in namespaces:
            replica_sets = _ReplicaSets(self)
            self._reflectors += [
                Reflector(cluster, REPLICA_SETS, replica_sets, namespace=namespace, labels=names.FUNCTION, decode=home),
                Reflector(cluster, PODS, self, namespace=namespace, labels=names.CLAIMED_BY),
            ]

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            for reflector in self._reflectors:
                self._group.create_task(reflector.run())

    def changed(self, address: Address, new: Manifest, _old: Manifest | None) -> None:
        """A claimed pod appeared or changed."""
        unsettled = diagnosis.unadopted(new) or warm.stands_in(new) or warm.forgot(new)
        if "deletionTimestamp" not in new["metadata"] and unsettled:
            self._claimed[address] = new
            if address not in self._tasks:
                self._tasks[address] = self._group.create_task(self._follow(address))
        else:
            self._claimed.pop(address, None)

    def deleted(self, address: Address, _old: Manifest) -> None:
        """It is gone; its task sees that."""
        self._claimed.pop(address, None)

    def moved(self, key: Key, address: Address, now: TargetReplicaSet | None) -> None:
        """One of a function's ReplicaSets wants pods, or wants none any more."""
        homes = self._homes.setdefault(key, {})
        homes.pop(address, None)
        if now is not None:
            homes[address] = now
        if not homes:
            del self._homes[key]
        if key in self._moved:
            self._moved[key].set()
        self._rolled(key, tuple(homes.values()))

    async def _follow(self, address: Address) -> None:
        pause, course = FIRST_LOOK, _Course(self._clock())
        key = _key(self._claimed[address])
        moved = self._moved.setdefault(key, asyncio.Event())
        try:
            while (pod := self._claimed.get(address)) is not None:
                try:
                    async with self._permits:
                        facts = await self._facts(pod, course)
                        course.serving = facts.state == READY
                        if course.serving and not course.resized and (resources := self._resources(pod)) is not None:
                            await resize(self._fence, pod, resources)
                            course.resized = True
                            facts = await self._facts(pod, course)
                        await self._step(pod, decide(facts), course)
                except (ApiConflict, ApiNotFound):
                    pass  # it changed under our hands: look again
                except (ApiError, ApiUnreachable, TimeoutError) as error:
                    log.warning("%s/%s: %s", *address, error)
                except Exception as error:  # noqa: BLE001 - a border: one pod's claim ends no other's
                    self._faults.caught("claim of a warm pod", key, error)
                else:
                    self._faults.passed("claim of a warm pod", key)
                await _either(moved, pause)
                moved.clear()
                pause = min(1.5 * pause, LONGEST_PAUSE)
        finally:
            del self._tasks[address]
            if not any(_key(pod) == key for pod in self._claimed.values()):
                self._moved.pop(key, None)

    async def _step(self, pod: Manifest, plan: AdoptionPlan, course: "_Course") -> None:
        metadata = pod["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        if plan.step is Step.DELETE:
            log.info("%s/%s: claimed, but not needed; deleting it", namespace, name)
            await self._fence.delete(PODS, namespace, name, uid=metadata["uid"])
        elif plan.step is Step.SCALE:
            await self._wake(_key(pod))
        elif plan.step is Step.RELEASE:
            await self._fence.patch(PODS, namespace, name, release(pod))
            self._claimed.pop((namespace, name), None)
        elif plan.home is not None:
            if not course.resized:
                await resize(self._fence, pod, plan.home.resources)
            await self._fence.patch(PODS, namespace, name, adopt(pod, plan.home))
            metrics.ADOPTIONS.inc()
            course.adopted, course.since = True, self._clock()

    def _resources(self, pod: Manifest) -> Mapping[str, Any] | None:
        """What its function asks for, known before any ReplicaSet wants the pod: then the adoption need not wait."""
        known = self._known(_key(pod))
        return known.resources if known.current == pod["metadata"]["labels"].get(names.REVISION) else None

    async def _wake(self, key: Key) -> None:
        """Write what the router would have, had it lived; unlike a plain 1 it never undoes the autoscaler's number."""
        try:
            await self._fence.wake(key.namespace, names.deployment(key))
        except ApiRefused:
            return  # it is not at zero any more

    async def _facts(self, pod: Manifest, course: "_Course") -> AdoptionFacts:
        """Of a pod that said it serves only what the mirrors know."""
        key = _key(pod)
        adopted = course.adopted or not diagnosis.unadopted(pod)
        serving = course.serving or adopted
        state = READY if serving else str((await evidence.readyz(self._session, pod)).get("state", ""))
        known = self._known(key)
        return AdoptionFacts(
            function_exists=known.exists,
            state=state,
            age=self._clock() - course.since,
            revision=pod["metadata"]["labels"].get(names.REVISION, ""),
            replicas=known.replicas,
            current=known.current,
            adopted=adopted,
            forgot=warm.forgot(pod),
            reported=bool(known.unloadable) and known.unloadable == pod["metadata"]["labels"].get(names.REVISION),
            homes=tuple(self._homes.get(key, {}).values()),
        )


class _Course(Struct):
    """How far one pod has come."""

    since: float
    """When this operator first saw the claim, or adopted the pod."""
    serving: bool = False
    """It said that it serves."""
    resized: bool = False
    adopted: bool = False


class _ReplicaSets:
    def __init__(self, adopter: Adopter) -> None:
        self._adopter = adopter

    def changed(self, address: Address, new: TargetReplicaSet | None, old: TargetReplicaSet | None) -> None:
        either = new or old
        if either:
            self._adopter.moved(either.key, address, new)

    def deleted(self, address: Address, old: TargetReplicaSet | None) -> None:
        if old:
            self._adopter.moved(old.key, address, None)


def _key(pod: Manifest) -> Key:
    """The function that claimed it."""
    return Key(pod["metadata"]["namespace"], pod["metadata"]["labels"][names.CLAIMED_BY])


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Until the event or the time."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
