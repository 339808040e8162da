import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_runtime.websocket import BINARY, TEXT, Bad, Frame, Frames, pack, unmask

KEY = b"\x01\x02\x03\x04"


def client(kind, data, *, fin=True):
    size = len(data)
    head = bytes([(0x80 if fin else 0) | kind])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65536:
        head += struct.pack("!BH", 0xFE, size)
    else:
        head += struct.pack("!BQ", 0xFF, size)
    return head + KEY + unmask(data, KEY)


@given(st.lists(st.binary(max_size=300)), st.integers(1, 50))
def test_messages_arrive_whole_however_the_bytes_are_cut(messages, step):
    stream = b"".join(client(BINARY, message) for message in messages)
    frames = Frames()
    got = [frame for i in range(0, len(stream), step) for frame in frames.feed(stream[i : i + step])]
    assert got == [Frame(BINARY, message) for message in messages]


@given(st.lists(st.binary(), min_size=2))
def test_fragments_are_joined(parts):
    kinds = [TEXT] + [0] * (len(parts) - 1)
    pieces = [
        client(kind, part, fin=i == len(parts) - 1) for i, (kind, part) in enumerate(zip(kinds, parts, strict=True))
    ]
    assert list(Frames().feed(b"".join(pieces))) == [Frame(TEXT, b"".join(parts))]


@given(st.binary())
def test_unmasking_twice_gives_the_data_back(data):
    assert unmask(unmask(data, KEY), KEY) == data


@given(st.binary())
def test_any_bytes_are_frames_or_a_broken_protocol(data):
    with contextlib.suppress(Bad):
        list(Frames().feed(data))


@pytest.mark.parametrize(
    "data",
    [
        pack(TEXT, b"unmasked"),
        client(0x0, b"continues nothing"),
        client(TEXT, b"a", fin=False) + client(TEXT, b"b"),
        client(0x9, b"x" * 126),
        client(0x3, b"reserved opcode"),
        b"\xc1" + client(TEXT, b"reserved bit")[1:],
    ],
)
def test_a_client_that_breaks_the_protocol_is_refused(data):
    with pytest.raises(Bad):
        list(Frames().feed(data))
