"""Where an answer's body ends, by its head alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_router.http.response_framing import NO_BODY, Malformed, framing

STATUS = st.sampled_from([200, 201, 204, 304, 404, 500])
METHOD = st.sampled_from([b"GET", b"HEAD", b"POST"])
MINOR = st.sampled_from([0, 1])
LENGTH = st.sampled_from([None, b"0", b"5"])
CODING = st.sampled_from([None, b"chunked", b"Chunked"])


@given(STATUS, METHOD, MINOR, st.sampled_from([b"0", b"5"]), st.sampled_from([b"chunked", b"gzip"]))
def test_a_length_told_in_two_ways_is_refused(status, method, minor, length, coding):
    with pytest.raises(Malformed):
        framing(status, method, minor, length, coding)


@given(STATUS, METHOD, MINOR, st.sampled_from([b"gzip", b"gzip, chunked", b"chunked, chunked", b""]))
def test_a_coding_that_is_not_just_chunked_is_refused(status, method, minor, coding):
    with pytest.raises(Malformed):
        framing(status, method, minor, None, coding)


@given(STATUS, METHOD, MINOR, LENGTH)
def test_an_answer_to_head_and_one_that_may_have_no_body_has_none(status, method, minor, length):
    found = framing(status, method, minor, length, None)
    assert found.over is (method == b"HEAD" or status in NO_BODY)
    assert not (found.over and (found.chunked or found.until_close))
    assert not (status == 204 and found.line)


@given(STATUS, METHOD, MINOR, CODING)
def test_without_a_length_the_end_is_the_last_chunk_or_the_connections(status, method, minor, coding):
    found = framing(status, method, minor, None, coding)
    if not found.over:
        assert found.until_close is (coding is None)
        assert found.chunked is bool(minor), "an HTTP/1.0 client does not know chunks"
        assert found.chunked is bool(found.line)
