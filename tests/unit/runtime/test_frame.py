"""Frames between the front and its handler processes, however the socket cuts them."""

from hypothesis import given
from hypothesis import strategies as st

from wick_runtime.call.frame import (
    BODY,
    END,
    HEAD,
    REQUEST,
    RESPONSE,
    FrameReader,
    HandlerCall,
    pack,
    pack_call,
    pack_head,
    unpack_call,
)

KINDS = st.sampled_from([BODY, END, HEAD, REQUEST, RESPONSE])


@given(st.lists(st.tuples(KINDS, st.binary(max_size=600)), max_size=8), st.integers(1, 40))
def test_frames_arrive_whole_and_in_order_however_the_bytes_are_cut(sent, step):
    stream = b"".join(pack(kind, payload) for kind, payload in sent)
    frames = FrameReader()
    assert [each for i in range(0, len(stream), step) for each in frames.feed(stream[i : i + step])] == sent


def test_what_is_not_whole_waits():
    frames = FrameReader()
    whole = pack(BODY, b"hello")
    assert list(frames.feed(whole[:-1])) == []
    assert list(frames.feed(whole[-1:] + pack(END)[:3])) == [(BODY, b"hello")]


HEADERS = st.lists(st.tuples(st.binary(), st.binary()))
CALLS = st.tuples(
    st.text(), st.binary(), HEADERS, st.binary(), st.floats(0), st.integers(0, 99), st.booleans(),
    st.binary(), st.booleans(),
)  # fmt: skip


@given(CALLS)
def test_a_call_arrives_as_it_was_sent(fields):
    [(kind, payload)] = FrameReader().feed(pack_call(*fields))
    assert kind == REQUEST
    assert unpack_call(payload) == HandlerCall(*fields)


def test_a_heads_kind_is_told():
    assert pack_head(200, [(b"a", b"b")])[0] == HEAD
