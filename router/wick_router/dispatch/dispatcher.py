"""Which request goes to which instance, and when: one function's state machine.

Pure: no clock, no loop, no sockets. Events are method calls that carry the moment (`now`, in seconds) and return the
actions the caller must carry out, in order. A request is a `Pending`, an instance a `EndpointState`.

    place ------------------------------> placed --- finished / left ---> settled
       |                 free slot          | ^
       |                                    | | a slot got free, an instance came up
       | none free: wait   refused, unreached | (first come, first served)
       +-----------------> waiting <--------+ |
       |                     | +--------------+
       | queue full, failed  | deadline, failed, function gone: Refuse;  left: nothing
       +-----> settled <-----+

A function that has waiting requests and no live instance has exactly one activation in flight; it is asked for again
only when the platform's instances vanished meanwhile or `RETRY_ACTIVATION` passed without one.

Instances: ``unready --dialled--> ready``; ``ready --refused(concurrency)--> held`` for some milliseconds, because
another router uses its slots; ``--refused(draining), terminating--> closed``; ``--unreached--> unready``, dialled anew;
``--refused(failed)--> failed_load``: its code did not load, so it gets requests only when nothing else serves.

A revision that has not served yet is not dialled while another serves: its instances count once the platform calls
them ready. So a broken update never meets a request, while more instances of a proven one serve as soon as they listen.
Who has room is kept in `balancer`, which revision has taken an older one's place in `succession`.
"""

from collections import OrderedDict
from collections.abc import Sequence

from wick_api.header import RefusedBy
from wick_api.reason import Reason, Refusal
from wick_router.backend import Instance
from wick_router.dispatch.action import (  # fmt: skip
    HOLD_FIRST,
    HOLD_LAST,
    NOTHING,
    Action,
    Actions,
    Activate,
    ColdStarted,
    Dial,
    EndpointState,
    Forward,
    Pending,
    Refuse,
    StartFailure,
)
from wick_router.dispatch.balancer import LeastLoaded
from wick_router.dispatch.demand import RevisionDemand
from wick_router.dispatch.succession import Succession, serves

RETRY_ACTIVATION = 5.0
"""Seconds without any instance after which activation is asked for again; a lost API call costs this much."""
HOLD_FAILURE = 5.0
"""Seconds a reported failure is believed when the function has no instance left that could prove it wrong."""
KEPT_REVISIONS = 4
"""Revisions whose counters outlive their instances."""


class Dispatcher:
    """See the module."""

    def __init__(self, capacity: int, queue_limit: int, revision: str, now: float) -> None:
        self.capacity = capacity
        self.queue_limit = queue_limit
        self.queue: OrderedDict[Pending, None] = OrderedDict()
        self.slots: dict[str, EndpointState] = {}
        self.failure: StartFailure | None = None
        self.delay = ""
        """What a start waits for, where it takes long."""
        self.in_flight = 0
        self.activated_at: float | None = None
        self.cold_since: float | None = None
        self.demands: dict[str, RevisionDemand] = {}
        self.revision = revision
        self._waiting = self._demand(revision, now)
        self._orders = 0
        self._vacancies = LeastLoaded(capacity)
        self._succession = Succession()

    # Requests

    def place(self, pending: Pending, now: float) -> EndpointState | None:
        """A request came: the slot it goes to at once, or None when none is free. This is the warm path."""
        self._orders += 1
        pending.order = self._orders
        slot = self._vacancies.least_loaded()
        if slot is not None:
            self._place(pending, slot, now)
        return slot

    def wait(self, pending: Pending, now: float) -> Actions:
        """The request that `place` found no slot for joins the queue, or is refused; `pending.deadline` is set."""
        pending.cold = not self.serving()
        failure = self.failure
        if failure and pending.cold:
            if self._any_live() or now - failure.since < HOLD_FAILURE:
                return (Refuse(pending, Refusal.CANNOT_START, failure.message, failure.reason),)
            self.failure = None
        if len(self.queue) >= self.queue_limit:
            return (Refuse(pending, Refusal.QUEUE_FULL, f"{len(self.queue)} requests are waiting already"),)
        pending.waiting = True
        self.queue[pending] = None
        self._waiting.add(1, now)
        return self._settle(now)

    def finished(self, pending: Pending, now: float) -> Actions:
        """The exchange is over, or its client left; whoever calls it first is right, later calls do nothing."""
        slot = pending.slot
        if slot is None:
            self._unqueue(pending, now)
            return NOTHING
        slot.hold = HOLD_FIRST
        self._release(pending, slot, now)
        return self._settle(now) if self.queue else NOTHING

    def refused(self, pending: Pending, how: RefusedBy, now: float) -> Actions:
        """The instance declined the request before any user code ran: it waits again, before those that came later."""
        slot = pending.slot
        if slot is None:
            return NOTHING
        self._vacancies.withdraw(slot)
        if how is RefusedBy.DRAINING:
            slot.draining = True
        elif how is RefusedBy.FAILED:
            slot.failed_load = True
        else:
            slot.held_until = now + slot.hold
            slot.hold = min(slot.hold * 2, HOLD_LAST)
        self._succeed()
        return self._again(pending, slot, now)

    def unreached(self, pending: Pending, now: float) -> Actions:
        """No connection to the instance could be made: it is dialled anew, and the request waits again."""
        slot = pending.slot
        if slot is None:
            return NOTHING
        dial = self._doubt(slot)
        self._succeed()
        return [*dial, *self._again(pending, slot, now)]

    def broken(self, pending: Pending, now: float) -> Actions:
        """A connection broke in a way that makes another try safe: the request waits again."""
        slot = pending.slot
        return NOTHING if slot is None else self._again(pending, slot, now)

    # Instances

    def instances(self, now_listed: Sequence[Instance], now: float) -> Actions:
        """The complete set of instances."""
        actions: list[Action] = []
        gone = self.slots.keys() - {instance.id for instance in now_listed}
        for identity in gone:
            slot = self.slots.pop(identity)
            self._vacancies.withdraw(slot)
            slot.listed = False
        had_live = bool(gone) or self._any_live()
        for instance in now_listed:
            actions += self._listed(instance, now)
        self._succeed()
        if had_live or self._any_live():
            self.activated_at = None
            self.delay = ""
        if self.serving():
            actions += self._came_up(now)
        if self.queue and not self.serving():
            self._hear_failed_loads()  # before asking, as `_settle` does: what may say why it failed is not passed over
        actions += self._ask()
        self._forget_revisions()
        return [*actions, *self._settle(now)]

    def dialled(self, slot: EndpointState, now: float) -> Actions:
        """A connection to the instance was made: it listens, so it serves."""
        if not slot.live or slot.ready:
            return NOTHING
        slot.ready = True
        slot.unproven = False
        self._vacancies.offer(slot)
        self._succeed()
        return [*self._came_up(now), *self._ask(), *self._settle(now)]

    def failed(self, reason: Reason, message: str, now: float) -> Actions:
        """The platform says why instances cannot come up."""
        self.failure = StartFailure(reason, message, now)
        self.delay = ""
        self.activated_at = None
        return self._settle(now)

    def recovered(self, now: float) -> Actions:
        """What `failed` said no longer holds."""
        self.failure = None
        return self._settle(now)

    # Function

    def configured(self, capacity: int, revision: str, now: float, wanted: str = "") -> Actions:
        """The Function changed; `revision` is the one that serves by its status, `wanted` the one it asks for."""
        self.failure, self.delay = None, ""
        if revision != self.revision:
            self._waiting.add(-len(self.queue), now)
            self.revision = revision
            self._waiting = self._demand(revision, now)
            self._waiting.add(len(self.queue), now)
        if capacity != self.capacity:
            self.capacity = capacity
            self._vacancies = LeastLoaded(capacity)
            for slot in self.slots.values():
                self._vacancies.offer(slot)
        self._succession.want(wanted, self.slots.values())
        self._succeed()
        return self._settle(now)

    def gone(self, now: float) -> Actions:
        """The Function was deleted: nobody waits for it any more."""
        return self._refuse_all(Refusal.UNKNOWN_FUNCTION, "the function was deleted", "", now)

    # Time

    def tick(self, now: float) -> Actions:
        """Let time pass; call it at `due`, or at any moment."""
        refusals: list[Action] = []
        for pending in [pending for pending in self.queue if pending.deadline <= now]:
            self._unqueue(pending, now)
            refusals.append(Refuse(pending, Refusal.DEADLINE, self._why_late()))
        for slot in self.slots.values():
            if slot.held_until and slot.held_until <= now:
                slot.held_until = 0.0
                self._vacancies.offer(slot)
        return [*refusals, *self._settle(now)]

    def due(self) -> float | None:
        """The next moment at which `tick` has something to do; None while nobody waits."""
        if not self.queue:
            return None
        moments = [next(iter(self.queue)).deadline]
        moments += [slot.held_until for slot in self.slots.values() if slot.held_until]
        if self.activated_at is not None:
            moments.append(self.activated_at + RETRY_ACTIVATION)
        return min(moments)

    def serving(self) -> int:
        """How many instances are ready for requests, busy or not."""
        return sum(map(serves, self.slots.values()))

    def spares(self, pending: Pending) -> bool:
        """Whether another instance than the request's own serves."""
        own = pending.slot
        return any(serves(slot) for slot in self.slots.values() if slot is not own)

    # Inside

    def _demand(self, revision: str, now: float) -> RevisionDemand:
        demand = self.demands.get(revision)
        if demand is None:
            demand = self.demands[revision] = RevisionDemand(revision, now)
        return demand

    def _forget_revisions(self) -> None:
        used = {id(slot.demand) for slot in self.slots.values()} | {id(self._waiting)}
        idle = [d for d in self.demands.values() if not d.level and id(d) not in used]
        for demand in idle[: max(0, len(self.demands) - KEPT_REVISIONS)]:
            del self.demands[demand.revision]

    def _place(self, pending: Pending, slot: EndpointState, now: float) -> None:
        self._vacancies.take(slot)
        pending.slot = slot
        self.in_flight += 1
        slot.demand.add(1, now)

    def _release(self, pending: Pending, slot: EndpointState, now: float) -> None:
        pending.slot = None
        self.in_flight -= 1
        slot.demand.add(-1, now)
        self._vacancies.leave(slot)

    def _doubt(self, slot: EndpointState) -> Actions:
        self._vacancies.withdraw(slot)
        slot.failed_load = False
        if not slot.ready or not slot.live:
            return NOTHING
        slot.ready = False
        return (Dial(slot),)

    def _again(self, pending: Pending, slot: EndpointState, now: float) -> Actions:
        self._release(pending, slot, now)
        before = []
        while self.queue and next(iter(self.queue)).order < pending.order:
            before.append(self.queue.popitem(last=False)[0])
        for waiting in (pending, *reversed(before)):
            self.queue[waiting] = None
            self.queue.move_to_end(waiting, last=False)
        pending.waiting = True
        self._waiting.add(1, now)
        return self._settle(now)

    def _unqueue(self, pending: Pending, now: float) -> None:
        if pending.waiting:
            pending.waiting = False
            del self.queue[pending]
            self._waiting.add(-1, now)

    def _any_live(self) -> bool:
        return any(slot.live for slot in self.slots.values())

    def _listed(self, instance: Instance, now: float) -> Actions:
        slot = self.slots.get(instance.id)
        if slot is None:
            slot = self.slots[instance.id] = EndpointState(instance, self._demand(instance.revision, now))
            self._vacancies.offer(slot)
            slot.unproven = not slot.ready
            return NOTHING
        before, slot.instance = slot.instance, instance
        if instance.terminating and not slot.draining:
            slot.draining = True
            self._vacancies.withdraw(slot)
        if instance.ready and not before.ready and not slot.ready:
            slot.ready = True
            slot.unproven = False
            self._vacancies.offer(slot)
        moved = (before.host, before.port) != (instance.host, instance.port)
        if moved and not slot.ready:
            slot.unproven = True
            return NOTHING
        return self._doubt(slot) if before.ready and not instance.ready else NOTHING

    def _ask(self) -> Actions:
        """Dial what nobody has asked yet and may be: instances of a revision that serves, and any when none does."""
        serving = {slot.instance.revision for slot in self.slots.values() if serves(slot)}
        actions: list[Action] = []
        for slot in self.slots.values():
            if slot.unproven and slot.live and slot.instance.host:
                if serving and slot.instance.revision not in serving:
                    continue
                slot.unproven = False
                actions.append(Dial(slot))
        return actions

    def _came_up(self, now: float) -> Actions:
        self.failure = None
        self.activated_at = None
        since, self.cold_since = self.cold_since, None
        if since is None:
            return NOTHING
        slot = next(filter(serves, self.slots.values()))
        return (ColdStarted(slot, now - since),)

    def _settle(self, now: float) -> Actions:
        """Give waiting requests what is free; then see whether the rest may go on waiting."""
        if not self.queue:
            return NOTHING
        actions: list[Action] = []
        if not self.serving():
            self._hear_failed_loads()
            actions += self._ask()
        while self.queue and (slot := self._vacancies.least_loaded()) is not None:
            pending = next(iter(self.queue))
            self._unqueue(pending, now)
            self._place(pending, slot, now)
            actions.append(Forward(pending, slot))
        if self.queue and not self.serving():
            actions += self._start(now)
        return actions

    def _succeed(self) -> None:
        """No request begins with a revision whose place a newer one has taken."""
        for slot in self._succession.changed(self.slots.values()):
            (self._vacancies.withdraw if slot.superseded else self._vacancies.offer)(slot)

    def _hear_failed_loads(self) -> None:
        """Nothing serves: instances whose code did not load may say so to those who wait."""
        for slot in self.slots.values():
            if slot.failed_load:
                slot.failed_load = False
                self._vacancies.offer(slot)

    def _start(self, now: float) -> Actions:
        """Somebody waits and nothing serves."""
        if self.failure is not None:
            return self._refuse_all(Refusal.CANNOT_START, self.failure.message, self.failure.reason, now)
        if self.cold_since is None:
            self.cold_since = now
        if self._any_live() or (self.activated_at is not None and now - self.activated_at < RETRY_ACTIVATION):
            return NOTHING
        self.activated_at = now
        return (Activate(),)

    def _refuse_all(self, refusal: Refusal, message: str, reason: str, now: float) -> Actions:
        self.cold_since = self.activated_at = None
        pendings = list(self.queue)
        for pending in pendings:
            self._unqueue(pending, now)
        return [Refuse(pending, refusal, message, reason) for pending in pendings]

    def _why_late(self) -> str:
        """What the request waited for, in words for its sender."""
        if self.serving():
            return f"all {self.serving()} instances stayed busy until the deadline"
        if self._any_live():
            return f"{len(self.slots)} instances were starting, none was ready before the deadline"
        because = f": {self.delay}" if self.delay else ""
        return f"no instance came up before the deadline{because}"
