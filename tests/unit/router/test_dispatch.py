"""The invariants of `Dispatcher`, under any order of events."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from wick_api.header import RefusedBy
from wick_api.reason import Reason, Refusal
from wick_router.backend import Instance
from wick_router.dispatch.action import HOLD_FIRST, HOLD_LAST, Activate, ColdStarted, Dial, Forward, Pending, Refuse
from wick_router.dispatch.dispatcher import KEPT_REVISIONS, RETRY_ACTIVATION, Dispatcher

LIMIT = 4


class Request(Pending):
    def __init__(self, number, deadline):
        self.number = number
        self.deadline = deadline
        self.state = "new"

    def __repr__(self):
        return f"request {self.number}"


class DispatchMachine(RuleBasedStateMachine):
    """Plays platform and clients, and keeps its own books to compare with."""

    requests = Bundle("requests")

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.capacity = 2
        self.dispatch = Dispatcher(self.capacity, LIMIT, "r1", self.now)
        self.all = []
        self.platform = {}
        self.forwarded_to = {}
        self.activations = []
        self.integral = 0.0
        self.instances_made = 0
        self.platform_changes = []
        self.proven = set()
        self.wanted = ""

    # Carrying out actions

    def carry_out(self, actions):
        for action in actions:
            match action:
                case Forward(pending, slot):
                    assert pending.state in ("new", "waiting")
                    waiting = [r for r in self.all if r.state == "waiting"]
                    assert all(r.order >= pending.order for r in waiting), "served before somebody who came first"
                    assert self.usable(slot), f"forwarded to an instance that is {slot.instance}"
                    pending.state = "placed"
                    self.forwarded_to[pending] = slot.instance.id
                    assert self.load(slot.instance.id) <= self.capacity, "over capacity"
                case Refuse(pending):
                    assert pending.state in ("new", "waiting"), "settled twice"
                    pending.state = "refused"
                case Activate():
                    assert not [i for i in self.platform.values() if not i.terminating and not self.is_draining(i.id)]
                    if self.activations and self.activations[-1][1] == len(self.platform_changes):
                        assert self.now - self.activations[-1][0] >= RETRY_ACTIVATION, "two activations in flight"
                    self.activations.append((self.now, len(self.platform_changes)))
                case Dial(slot):
                    assert not slot.ready
                    serving = {s.instance.revision for s in self.dispatch.slots.values() if self.serves(s)}
                    proven = slot.instance.id in self.proven or slot.instance.revision in serving
                    assert proven or not serving, "a revision nobody vouches for is dialled while another serves"
                case ColdStarted():
                    pass
        for request in self.all:
            if request.state == "new":
                request.state = "waiting"

    def usable(self, slot):
        return self.listed(slot) and slot.ready and not slot.draining and not slot.failed_load and not slot.superseded

    def serves(self, slot):
        return slot.live and slot.ready and not slot.failed_load

    def listed(self, slot):
        found = self.platform.get(slot.instance.id)
        return found is not None and not found.terminating

    def is_draining(self, identity):
        return self.dispatch.slots[identity].draining

    def load(self, identity):
        return sum(1 for r, i in self.forwarded_to.items() if i == identity and r.state == "placed")

    def pass_time(self, seconds):
        level = sum(r.state in ("waiting", "placed") for r in self.all)
        self.integral += level * seconds
        self.now += seconds

    # Events

    @rule(target=requests, patience=st.integers(1, 40))
    def arrive(self, patience):
        request = Request(len(self.all), self.now + patience)
        self.all.append(request)
        waiting = sum(r.state == "waiting" for r in self.all)
        slot = self.dispatch.place(request, self.now)
        if slot is not None:
            self.carry_out([Forward(request, slot)])
        else:
            self.carry_out(self.dispatch.wait(request, self.now))
        if request.state == "refused":
            assert waiting >= LIMIT or self.dispatch.failure is not None, "refused without need"
        elif request.state == "waiting":
            assert waiting < LIMIT, "the queue took more than its limit"
        return request

    @rule(request=consumes(requests))
    def finish_or_leave(self, request):
        if request.state in ("waiting", "placed"):
            request.state = "done"
        self.carry_out(self.dispatch.finished(request, self.now))

    @rule(request=requests)
    def finish_twice_is_harmless(self, request):
        if request.state in ("done", "refused"):
            assert not [e for e in self.dispatch.finished(request, self.now) if not isinstance(e, Forward)]

    @rule(request=requests, how=st.sampled_from([RefusedBy.CONCURRENCY, RefusedBy.DRAINING, RefusedBy.LOADING]))
    def instance_refuses(self, request, how):
        if request.state == "placed":
            request.state = "waiting"
            self.carry_out(self.dispatch.refused(request, how, self.now))

    @rule(request=requests, times=st.integers(2, 12))
    def an_instance_refuses_again_and_again(self, request, times):
        """Each time the request comes back to an instance, which is after a pause where there is one only."""
        for _ in range(times):
            self.instance_refuses(request, RefusedBy.CONCURRENCY)
            self.an_instance_is_held_only_for_moments()
            self.pass_time(HOLD_LAST)
            self.carry_out(self.dispatch.tick(self.now))

    @rule(request=requests)
    def an_instance_whose_code_did_not_load_says_so(self, request):
        if request.state == "placed" and self.dispatch.spares(request):
            request.state = "waiting"
            self.carry_out(self.dispatch.refused(request, RefusedBy.FAILED, self.now))

    @rule(request=requests, how=st.sampled_from(["unreached", "broken"]))
    def connection_fails(self, request, how):
        if request.state == "placed":
            request.state = "waiting"
            self.carry_out(getattr(self.dispatch, how)(request, self.now))

    def report(self):
        self.platform_changes.append(dict(self.platform))
        self.carry_out(self.dispatch.instances(list(self.platform.values()), self.now))

    @rule(ready=st.booleans())
    @precondition(lambda self: len(self.platform) < 3)
    def instance_appears(self, ready):
        self.instances_made += 1
        name = f"i{self.instances_made}"
        self.platform[name] = Instance(
            id=name, host="10.0.0.1", port=8080, revision=f"r{self.instances_made % 2}", ready=ready
        )
        self.report()

    @rule(data=st.data(), change=st.sampled_from(["gone", "ready", "unready", "terminating"]))
    @precondition(lambda self: self.platform)
    def instance_changes(self, data, change):
        name = data.draw(st.sampled_from(sorted(self.platform)))
        old = self.platform.pop(name)
        if change != "gone":
            self.platform[name] = Instance(
                id=name,
                host=old.host,
                port=old.port,
                revision=old.revision,
                ready=change == "ready",
                terminating=old.terminating or change == "terminating",
            )
        self.report()

    @rule(data=st.data())
    @precondition(lambda self: any(not slot.ready and not slot.unproven for slot in self.dispatch.slots.values()))
    def dial_succeeds(self, data):
        unready = sorted(name for name, slot in self.dispatch.slots.items() if not slot.ready and not slot.unproven)
        self.carry_out(self.dispatch.dialled(self.dispatch.slots[data.draw(st.sampled_from(unready))], self.now))

    @rule(which=st.sampled_from(["fails", "recovers", "deleted", "changes"]), data=st.data())
    def something_rare(self, which, data):
        """One rule for all of them, so that they do not end every longer story."""
        if which == "fails":
            self.platform_fails()
        elif which == "recovers":
            self.carry_out(self.dispatch.recovered(self.now))
        elif which == "deleted":
            self.function_is_deleted()
        else:
            revisions = st.sampled_from(["r0", "r1", "r2"])
            self.function_changes(data.draw(st.integers(1, 3)), data.draw(revisions), data.draw(revisions))

    def platform_fails(self):
        self.platform_changes.append("failed")  # that was the answer to an activation
        self.carry_out(self.dispatch.failed(Reason.IMAGE_PULL, "no such image", self.now))
        if not self.dispatch.serving():
            assert not self.dispatch.queue, "somebody waits for what cannot come"

    def function_changes(self, capacity, revision, wanted):
        self.capacity = max(capacity, *(self.load(i) for i in self.platform), 0)
        self.wanted = wanted
        self.carry_out(self.dispatch.configured(self.capacity, revision, self.now, wanted))

    def function_is_deleted(self):
        self.platform_changes.append("deleted")
        self.carry_out(self.dispatch.gone(self.now))
        assert not self.dispatch.queue

    @rule(seconds=st.integers(0, 8))
    def time_passes(self, seconds):
        self.pass_time(seconds)
        actions = self.dispatch.tick(self.now)
        for action in actions:
            if isinstance(action, Refuse) and action.refusal is Refusal.DEADLINE:
                assert action.pending.deadline <= self.now
        self.carry_out(actions)
        assert all(r.deadline > self.now for r in self.all if r.state == "waiting"), "waits past its deadline"
        if self.dispatch.queue and not any(slot.live for slot in self.dispatch.slots.values()):
            assert self.now - self.activations[-1][0] < RETRY_ACTIVATION, "a lost activation is not asked for again"

    # What always holds

    @invariant()
    def the_books_agree(self):
        self.proven |= {name for name, slot in self.dispatch.slots.items() if slot.ready}
        waiting = [r for r in self.all if r.state == "waiting"]
        assert list(self.dispatch.queue) == sorted(waiting, key=lambda r: r.order)
        assert self.dispatch.in_flight == sum(r.state == "placed" for r in self.all)
        for name, slot in self.dispatch.slots.items():
            assert slot.in_flight == self.load(name)

    @invariant()
    def nobody_waits_while_an_instance_is_idle(self):
        if self.dispatch.queue:
            free = [
                slot
                for slot in self.dispatch.slots.values()
                if self.usable(slot) and slot.in_flight < self.capacity and not slot.held_until
            ]
            assert not free

    @invariant()
    def whoever_waits_has_something_coming(self):
        if self.dispatch.queue and not any(slot.live for slot in self.dispatch.slots.values()):
            assert self.dispatch.activated_at is not None
        if self.dispatch.queue and not self.dispatch.serving():
            assert not any(slot.live and slot.unproven for slot in self.dispatch.slots.values())
            assert not any(slot.failed_load and slot.live and slot.ready for slot in self.dispatch.slots.values())
        if self.dispatch.queue:
            due = self.dispatch.due()
            assert due is not None
            assert due <= min(self.now + RETRY_ACTIVATION, due) or due > self.now

    @invariant()
    def an_older_revision_is_left_only_for_the_wanted_one(self):
        slots = self.dispatch.slots.values()
        serving = {slot.instance.revision for slot in slots if self.listed(slot) and self.serves(slot)}
        for slot in slots:
            if slot.superseded:
                assert slot.instance.revision != self.wanted
                assert self.wanted in serving, "nobody took its place"

    @invariant()
    def an_instance_is_held_only_for_moments(self):
        assert all(slot.held_until <= self.now + HOLD_LAST for slot in self.dispatch.slots.values())

    @invariant()
    def the_queue_is_bounded(self):
        placed_or_requeued = sum(r.state in ("waiting", "placed") for r in self.all)
        assert len(self.dispatch.queue) <= LIMIT + placed_or_requeued - len(self.dispatch.queue) + 3 * self.capacity * 3

    @invariant()
    def demand_is_the_exact_integral(self):
        kept = sum(demand.read(self.now) for demand in self.dispatch.demands.values())
        if self.instances_made < 3:  # counters of old revisions are dropped in time
            assert abs(kept - self.integral) < 1e-6
        assert sum(d.level for d in self.dispatch.demands.values()) == sum(
            r.state in ("waiting", "placed") for r in self.all
        )

    @invariant()
    def load_is_spread(self):
        usable = [s.in_flight for s in self.dispatch.slots.values() if self.usable(s) and not s.held_until]
        least = self.dispatch._vacancies.least_loaded()
        if usable and min(usable) < self.capacity:
            assert least is not None
            assert least.in_flight == min(usable)
        else:
            assert least is None


def warm(revision):
    return Instance(id=f"i-{revision}", host="10.0.0.1", port=8080, revision=revision, ready=True)


def test_the_pause_after_refusals_doubles_up_to_its_bound_and_begins_anew_after_an_answer():
    now, dispatch = 0.0, Dispatcher(1, LIMIT, "r1", 0.0)
    dispatch.instances([warm("r1")], now)
    request = Request(1, 1000.0)
    slot = dispatch.place(request, now)
    pauses = []
    for _ in range(10):
        dispatch.refused(request, RefusedBy.CONCURRENCY, now)
        pauses.append(slot.held_until - now)
        now = slot.held_until
        assert dispatch.tick(now) == [Forward(request, slot)]
    grown = [min(HOLD_FIRST * 2**n, HOLD_LAST) for n in range(10)]
    assert [round(pause, 6) for pause in pauses] == grown
    assert pauses[-1] == pauses[-2]
    dispatch.finished(request, now)
    dispatch.place(request, now)
    dispatch.refused(request, RefusedBy.CONCURRENCY, now)
    assert round(slot.held_until - now, 6) == HOLD_FIRST


def test_counters_of_revisions_that_nobody_has_any_more_are_dropped_and_those_in_use_are_kept():
    dispatch = Dispatcher(1, LIMIT, "r0", 0.0)
    dispatch.instances([warm("r0")], 0.0)
    request = Request(1, 1000.0)
    assert dispatch.place(request, 0.0)
    for number in range(1, 30):
        dispatch.configured(1, f"r{number}", number)
        dispatch.instances([warm("r0"), warm(f"r{number}")], number)
        assert len(dispatch.demands) <= KEPT_REVISIONS
    assert {"r0", "r29"} <= dispatch.demands.keys()


TestDispatch = DispatchMachine.TestCase
TestDispatch.settings = settings(
    max_examples=3 * settings.default.max_examples // 2, stateful_step_count=60, deadline=None
)


def numbered(revision, number, *, ready=True):
    return Instance(id=f"{revision}-{number}", host="10.0.0.1", port=8080, revision=revision, ready=ready)


def served_by(dispatch, now, count=8):
    """The revisions of the instances that so many requests go to, one after the other."""
    revisions = set()
    for number in range(count):
        request = Request(number, 1000.0)
        revisions.add(dispatch.place(request, now).instance.revision)
        dispatch.finished(request, now)
    return revisions


def test_with_one_instance_no_request_begins_with_the_old_revision_once_the_new_one_serves():
    dispatch = Dispatcher(2, LIMIT, "r1", 0.0)
    dispatch.configured(2, "r1", 0.0, "r1")
    dispatch.instances([numbered("r1", 1)], 0.0)
    dispatch.configured(2, "r1", 1.0, "r2")
    dispatch.instances([numbered("r1", 1), numbered("r2", 1, ready=False)], 2.0)
    assert served_by(dispatch, 2.0) == {"r1"}
    dispatch.instances([numbered("r1", 1), numbered("r2", 1)], 3.0)
    assert served_by(dispatch, 3.0) == {"r2"}
    dispatch.instances([numbered("r1", 1), numbered("r2", 1, ready=False)], 4.0)
    assert served_by(dispatch, 4.0) == {"r1"}, "the old one is still there"


def test_with_more_instances_the_old_ones_serve_until_there_are_as_many_new_ones():
    dispatch = Dispatcher(2, LIMIT, "r1", 0.0)
    dispatch.configured(2, "r1", 0.0, "r1")
    old = [numbered("r1", number) for number in range(3)]
    dispatch.instances(old, 0.0)
    dispatch.configured(2, "r1", 1.0, "r2")
    dispatch.instances([*old[1:], numbered("r2", 1), numbered("r2", 2)], 2.0)
    assert served_by(dispatch, 2.0) == {"r1", "r2"}
    dispatch.instances([*old[2:], *(numbered("r2", number) for number in range(3))], 3.0)
    assert served_by(dispatch, 3.0) == {"r2"}


def test_a_rollback_is_a_succession_too():
    dispatch = Dispatcher(2, LIMIT, "r2", 0.0)
    dispatch.configured(2, "r2", 0.0, "r2")
    dispatch.instances([numbered("r2", 1)], 0.0)
    dispatch.configured(2, "r2", 1.0, "r1")
    dispatch.instances([numbered("r2", 1), numbered("r1", 1)], 2.0)
    assert served_by(dispatch, 2.0) == {"r1"}
