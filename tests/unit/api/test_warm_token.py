"""A warm pod's token: the installation's key and nothing a tenant says decides it, and it opens one pool."""

from hypothesis import given
from hypothesis import strategies as st

from wick_api.warm import token, token_digest

namespaces = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
runtimes = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,8}[a-z0-9])?", fullmatch=True)
pools = st.tuples(st.text(min_size=1), namespaces, runtimes)


@given(pools, pools)
def test_one_key_namespace_and_runtime_have_one_token_and_no_other_has_it(one, other):
    assert (token(*one) == token(*other)) == (one == other)


@given(pools)
def test_what_lies_in_a_pod_does_not_open_it(pool):
    assert token_digest(token(*pool)) != token(*pool)
    assert token_digest(token_digest(token(*pool))) != token_digest(token(*pool))
