"""Frame bounds of a WebSocket."""

from hypothesis import given
from hypothesis import strategies as st

from wick_router.http.websocket import FrameCounter


def frame(payload, *, masked):
    size = len(payload)
    short = size if size < 126 else 126 if size < 65536 else 127
    extended = b"" if size < 126 else size.to_bytes(2 if size < 65536 else 8)
    return bytes((0x82, short | 0x80 * masked)) + extended + b"\1\2\3\4" * masked + payload


@given(
    st.lists(st.sampled_from([0, 1, 5, 125, 126, 127, 300, 65535, 65536]).map(bytes), max_size=4),
    st.booleans(),
    st.lists(st.integers(1, 70_000), max_size=6),
)
def test_a_boundary_is_seen_exactly_where_one_is_however_the_bytes_come(payloads, masked, cuts):
    frames = [frame(payload, masked=masked) for payload in payloads]
    stream = b"".join(frames)
    ends = {0}
    for each in frames:
        ends.add(max(ends) + len(each))
    follower = FrameCounter(masked=masked)
    at = 0
    for cut in [*cuts, len(stream)]:
        follower.feed(stream[at : at + cut])
        at = min(at + cut, len(stream))
        assert follower.at_boundary == (at in ends)


def test_close_frames_say_going_away():
    assert FrameCounter(masked=False).close_frame() == b"\x88\x02\x03\xe9"
    assert FrameCounter(masked=True).close_frame() == b"\x88\x82\0\0\0\0\x03\xe9"
    assert FrameCounter(masked=True).close_frame(b"\1\2\3\4") == b"\x88\x82\1\2\3\4\x02\xeb"


def test_pieces_may_end_anywhere_behind_a_whole_frame():
    first, second = frame(b"abc", masked=False), frame(bytes(300), masked=True)
    whole = first + second
    for cut in range(1, len(whole)):
        follower = FrameCounter(masked=False)
        follower.feed(whole[:cut])
        assert follower.at_boundary == (cut == len(first))
        follower.feed(whole[cut:])
        assert follower.at_boundary
