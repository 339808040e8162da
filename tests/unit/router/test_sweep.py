"""When deadlines are looked for."""

from hypothesis import given
from hypothesis import strategies as st

from wick_router.proxy.timeouts import GRAIN, PERIOD, RESOLUTION, next_look

MOMENTS = st.lists(st.floats(0, 3 * PERIOD), max_size=20)


def looks(deadlines):
    """Moments at which `Sweep` looks, over four rounds, and what it finds at each."""
    now, round_at, left = 0.0, PERIOD, sorted(deadlines)
    while now < 4 * PERIOD:
        due, left = [each for each in left if each <= now], [each for each in left if each > now]
        yield now, due
        pause = next_look((each - now for each in left), round_at - now)
        if pause is None:
            now, round_at = round_at, round_at + PERIOD
        else:
            now += pause


@given(MOMENTS)
def test_every_deadline_is_noticed_and_soon(deadlines):
    noticed = {each: now - each for now, due in looks(deadlines) for each in due}
    assert set(noticed) == set(deadlines)
    assert max(noticed.values(), default=0.0) <= GRAIN + RESOLUTION


@given(MOMENTS)
def test_many_deadlines_cost_few_looks(deadlines):
    moments = [now for now, _ in looks(deadlines)]
    assert len(moments) <= 5 * (PERIOD / GRAIN)
    assert len(moments) <= 5 + 1 + len(deadlines)
