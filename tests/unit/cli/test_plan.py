import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from wick_cli.local.decisions.plan import LocalPlan, Member, ProcessState, plan

WANT = st.integers(0, 6)
MEMBERS = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(ProcessState)), max_size=8).map(
    lambda pairs: [Member(str(index), revision, state) for index, (revision, state) in enumerate(pairs)]
)


def alive(members):
    return [member for member in members if member.state is not ProcessState.RETIRING]


def serving(members):
    return sum(member.state is ProcessState.READY for member in members)


def carry_out(members, step, revision):
    retired = [
        dataclasses.replace(member, state=ProcessState.RETIRING) if member.id in step.retire else member
        for member in members
    ]
    return retired + [
        Member(f"new{len(members) + number}", revision, ProcessState.STARTING) for number in range(step.start)
    ]


def come_up(members):
    return [
        dataclasses.replace(m, state=ProcessState.READY) if m.state is ProcessState.STARTING else m for m in members
    ]


@given(WANT, MEMBERS, st.booleans())
def test_only_living_members_are_retired_and_each_once(want, members, blocked):
    retire = plan(want, "a", members, blocked=blocked).retire
    assert len(set(retire)) == len(retire)
    assert set(retire) <= {member.id for member in alive(members)}


@given(WANT, MEMBERS)
def test_two_steps_reach_what_is_wanted_and_then_nothing_moves(want, members):
    for _ in range(2):
        members = come_up(carry_out(members, plan(want, "a", members), "a"))
    assert [member.revision for member in alive(members)] == ["a"] * want
    assert plan(want, "a", members) == LocalPlan()


@given(WANT, MEMBERS, st.booleans())
def test_no_step_leaves_fewer_serving_than_wanted_or_than_there_were(want, members, blocked):
    step = plan(want, "a", members, blocked=blocked)
    assert serving(carry_out(members, step, "a")) >= min(want, serving(members))


@given(WANT, MEMBERS)
def test_a_blocked_revision_starts_nothing(want, members):
    assert plan(want, "a", members, blocked=True).start == 0


@given(MEMBERS)
def test_at_zero_everything_goes(members):
    step = plan(0, "a", members)
    assert step.start == 0
    assert set(step.retire) == {member.id for member in alive(members)}


def test_an_old_instance_serves_until_the_new_one_is_ready():
    old = Member("1", "a", ProcessState.READY)
    new = Member("2", "b", ProcessState.STARTING)
    assert plan(1, "b", [old]) == LocalPlan(start=1)
    assert plan(1, "b", [old, new]) == LocalPlan()
    assert plan(1, "b", [old, dataclasses.replace(new, state=ProcessState.READY)]) == LocalPlan(retire=("1",))
