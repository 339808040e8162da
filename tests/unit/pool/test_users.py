"""Who could use which pool, and who comes up from zero: looked at where something changed, right as if all were."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from arbitrary.functions import make
from wick_api.names import Key
from wick_operator.pool.decisions.users import STARTING, Users, could_use

POOL = ("default", "python")
KEYS = [Key("default", name) for name in "abc"]
OURS, IMAGE, OTHER = ({"source": {"inline": {"main.py": ""}}}, {"image": "x"}, {"runtime": "cobol"})
ALWAYS = {**OURS, "scale": {"min": 1}}
deployments = st.builds(SimpleNamespace, wanted=st.integers(0, 2), ready=st.integers(0, 2))
changes = st.tuples(
    st.sampled_from(KEYS), st.sampled_from([None, OURS, ALWAYS, IMAGE, {**OURS, **OTHER}]), st.none() | deployments
)


def users(functions, deployments, looked):
    """`looked` collects which functions were read."""

    def read(key):
        looked.append(key)
        return functions.get(key)

    return Users(read, deployments.get, {"python"})


@given(st.lists(changes, max_size=12), st.sets(st.integers(0, 12)))
def test_looking_at_what_changed_is_as_good_as_looking_at_everything(changes, looks):
    functions, there = {}, {}
    kept = users(functions, there, [])
    for number, (key, spec, deployment) in enumerate(changes):
        functions[key] = make(key.name, **spec) if spec else None
        there[key] = deployment
        kept.touch(key)
        if number in looks:
            kept.look(0.0)
    kept.look(0.0)
    anew = users(functions, there, [])
    for key in KEYS:
        anew.touch(key)
    anew.look(0.0)
    assert kept.pools == anew.pools
    may_rest = [each for each in functions.values() if each and could_use(each) and not each.spec.scale.min]
    ours = [each for each in may_rest if each.spec.runtime == "python"]
    assert kept.resting(POOL) == anew.resting(POOL) == len(ours)
    assert kept.starting <= kept.pools


def test_what_did_not_change_is_not_looked_at():
    functions, looked = {key: make(key.name, **OURS) for key in KEYS}, []
    kept = users(functions, {}, looked)
    for key in KEYS:
        kept.touch(key)
    kept.look(0.0)
    looked.clear()
    kept.look(1.0)
    assert looked == []
    kept.touch(KEYS[0])
    kept.look(2.0)
    assert looked == [KEYS[0]]


def test_a_start_from_zero_is_told_once_and_goes_on_until_it_is_ready_or_late():
    key, pool = KEYS[0], POOL
    there = {key: SimpleNamespace(wanted=0, ready=0)}
    kept = users({key: make(key.name, **OURS)}, there, [])
    kept.touch(key)
    assert (kept.look(0.0), kept.starting) == ([], frozenset())
    there[key] = SimpleNamespace(wanted=1, ready=0)
    kept.touch(key)
    assert (kept.look(1.0), kept.starting) == ([pool], {pool})
    assert (kept.look(2.0), kept.starting) == ([], {pool})
    assert (kept.look(1.1 + STARTING), kept.starting) == ([], frozenset())


def test_one_that_is_new_and_wants_instances_did_not_come_up_from_zero():
    key = KEYS[0]
    kept = users({key: make(key.name, **OURS)}, {key: SimpleNamespace(wanted=1, ready=0)}, [])
    kept.touch(key)
    assert kept.look(0.0) == []
