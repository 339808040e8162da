"""Which connections are closed while an instance drains."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_runtime.http.server import PARTING, SETTLE, may_part

SECONDS = st.floats(0, 60)


@pytest.mark.parametrize(
    ("rested", "idle", "used", "part_way", "closed"),
    [
        (PARTING / 2, True, True, False, False),
        (PARTING * 1.1, True, True, False, True),
        (PARTING * 1.1, True, False, False, False),
        (SETTLE * 1.1, True, False, False, True),
        (SETTLE / 2, False, True, True, False),
        (SETTLE * 1.1, False, True, True, True),
    ],
)
def test_a_connection_rests_its_time_before_it_is_closed(rested, idle, used, part_way, closed):
    assert may_part(rested, idle=idle, used=used, part_way=part_way) is closed


@given(SECONDS, st.booleans())
def test_one_that_holds_a_request_is_never_closed(rested, used):
    assert not may_part(rested, idle=False, used=used, part_way=False)


@given(SECONDS, SECONDS, st.booleans(), st.booleans(), st.booleans())
def test_one_that_may_be_closed_may_be_closed_later_too(rested, more, idle, used, part_way):
    state = {"idle": idle, "used": used, "part_way": part_way}
    assert not may_part(rested, **state) or may_part(rested + more, **state)
