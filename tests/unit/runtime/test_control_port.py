from hypothesis import given
from hypothesis import strategies as st

from wick_runtime.instance.control_port import bearer, same


@given(st.text(), st.text())
def test_a_token_fits_only_itself_and_never_when_empty(given_token, expected):
    assert same(given_token, expected) == (given_token == expected != "")


@given(st.text(min_size=1))
def test_a_token_fits_itself(token):
    assert same(token, token)


def test_only_the_bearer_scheme_counts():
    assert bearer([(b"authorization", b"Bearer t")]) == "t"
    assert bearer([(b"authorization", b"bearer  t ")]) == "t"
    assert bearer([(b"authorization", b"Basic t")]) == ""
    assert bearer([]) == ""
