"""The work queue's heart: one piece of work a key at a time, no enqueue lost, failures back off, the rate is kept."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from wick_operator.leader.decisions.work_schedule import BackoffLimits, WorkSchedule

KEYS = st.sampled_from(["a", "b", "c"])
FREE = BackoffLimits(first=1, longest=8, rate=1e9, burst=1e9)


def taken_by(schedule, now):
    return list(iter(lambda: schedule.take(now), None))


def test_many_wishes_are_one_piece_of_work():
    schedule = WorkSchedule(FREE, 0)
    for _ in range(5):
        schedule.enqueue("a", 0)
    assert taken_by(schedule, 0) == ["a"]


def test_the_earlier_wish_wins():
    schedule = WorkSchedule(FREE, 0)
    schedule.enqueue("a", 9)
    schedule.enqueue("a", 3)
    schedule.enqueue("a", 5)
    assert (schedule.next(0), taken_by(schedule, 2), taken_by(schedule, 3)) == (3, [], ["a"])


def test_failures_wait_twice_as_long_each_time_up_to_a_bound_and_one_success_forgets_them():
    schedule, now, waits = WorkSchedule(FREE, 0), 0, []
    schedule.enqueue("a", now)
    for _ in range(6):
        assert schedule.take(now) == "a"
        schedule.finish("a", now, failed=True)
        waits.append(schedule.next(now) - now)
        now = schedule.next(now)
    assert waits == [1, 2, 4, 8, 8, 8]
    schedule.take(now)
    schedule.finish("a", now, failed=False)
    assert schedule.failures("a") == 0


def test_a_wish_during_failing_work_does_not_wait_for_the_back_off():
    schedule = WorkSchedule(FREE, 0)
    schedule.enqueue("a", 0)
    schedule.take(0)
    schedule.enqueue("a", 0)
    schedule.finish("a", 0, failed=True)
    assert schedule.take(0) == "a"


def test_work_keeps_to_its_rate_after_a_burst():
    schedule = WorkSchedule(BackoffLimits(rate=2, burst=3), 0)
    for key in range(10):
        schedule.enqueue(key, 0)
    assert [len(taken_by(schedule, now)) for now in (0, 0.4, 0.5, 1.5)] == [3, 0, 1, 2]
    assert schedule.next(1.5) == 2.0


class EveryWishIsGranted(RuleBasedStateMachine):
    """Against a model that remembers, for each key, whether somebody still waits for work that began after asking."""

    def __init__(self):
        super().__init__()
        self.now, self.schedule, self.wanted, self.working = 0, WorkSchedule(FREE, 0), {}, set()

    @rule(key=KEYS, delay=st.integers(0, 5))
    def enqueue(self, key, delay):
        self.schedule.enqueue(key, self.now + delay)
        self.wanted[key] = min(self.wanted.get(key, self.now + delay), self.now + delay)

    @rule()
    def take(self):
        due = {key: at for key, at in self.wanted.items() if at <= self.now and key not in self.working}
        key = self.schedule.take(self.now)
        assert (key is None) == (not due)
        if key is not None:
            assert self.wanted.pop(key) == min(due.values())
            self.working.add(key)

    @precondition(lambda self: self.working)
    @rule(data=st.data(), failed=st.booleans())
    def finish(self, data, failed):
        key = data.draw(st.sampled_from(sorted(self.working)))
        self.working.remove(key)
        self.schedule.finish(key, self.now, failed=failed)
        if failed:
            again = self.now + min(8, 2 ** (self.schedule.failures(key) - 1))
            self.wanted[key] = min(self.wanted.get(key, again), again)

    @rule(seconds=st.integers(0, 5))
    def wait(self, seconds):
        self.now += seconds

    @invariant()
    def nothing_is_worked_on_twice(self):
        assert self.schedule.taken == self.working

    @invariant()
    def the_next_time_is_when_something_is_due(self):
        idle = [at for key, at in self.wanted.items() if key not in self.working]
        assert self.schedule.next(self.now) == (max(self.now, min(idle)) if idle else None)


TestEveryWishIsGranted = EveryWishIsGranted.TestCase


def test_what_waits_is_counted_whether_its_key_is_taken_or_not():
    schedule = WorkSchedule(FREE, 0)
    assert (len(schedule), schedule.taken) == (0, frozenset())
    schedule.enqueue("a", 0)
    schedule.enqueue("b", 0)
    assert len(schedule) == 2
    assert schedule.take(0) == "a"
    schedule.enqueue("a", 5)
    assert (len(schedule), schedule.taken) == (2, {"a"})


def test_the_longest_wait_is_that_of_the_key_due_longest_and_none_before_it_is_due():
    schedule = WorkSchedule(FREE, 0)
    assert schedule.waiting_since(9) == 0
    schedule.enqueue("a", 4)
    schedule.enqueue("b", 6)
    assert [schedule.waiting_since(now) for now in (3, 4, 4.5, 7)] == [0, 0, 0.5, 3]


def test_keys_due_at_one_time_are_taken_in_the_order_of_asking():
    schedule = WorkSchedule(FREE, 0)
    for key in ("c", "a", "b"):
        schedule.enqueue(key, 1)
    assert taken_by(schedule, 1) == ["c", "a", "b"]


def test_a_wish_during_work_keeps_its_time_and_the_earliest_of_them_counts():
    schedule = WorkSchedule(FREE, 0)
    schedule.enqueue("a", 0)
    schedule.take(0)
    for at in (7, 5, 9):
        schedule.enqueue("a", at)
    schedule.finish("a", 0, failed=False)
    assert (schedule.next(0), len(schedule)) == (5, 1)


def test_a_failed_key_backs_off_from_the_end_of_its_work_and_counts_its_failures():
    schedule = WorkSchedule(BackoffLimits(first=0.5, longest=60, rate=1e9, burst=1e9), 0)
    schedule.enqueue("a", 0)
    for failures, wait in ((1, 0.5), (2, 1.0), (3, 2.0)):
        now = schedule.next(0)
        schedule.take(now)
        schedule.finish("a", now + 10, failed=True)
        assert (schedule.failures("a"), schedule.next(0)) == (failures, now + 10 + wait)
    assert schedule.failures("b") == 0


def test_no_number_of_failures_is_too_large():
    schedule, now = WorkSchedule(FREE, 0), 0.0
    schedule.enqueue("a", now)
    for _ in range(1100):
        schedule.take(now)
        schedule.finish("a", now, failed=True)
        assert schedule.next(now) <= now + 8
        now = schedule.next(now)


def test_rest_gives_no_more_than_one_burst():
    schedule = WorkSchedule(BackoffLimits(rate=2, burst=3), 0)
    for key in range(10):
        schedule.enqueue(key, 0)
    assert len(taken_by(schedule, 1000)) == 3


def test_the_limits_without_settings():
    assert BackoffLimits() == BackoffLimits(first=0.1, longest=60.0, rate=50.0, burst=100.0)
