import contextlib
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wick_runtime.forms.websocket import (
    BAD_DATA,
    BINARY,
    NO_STATUS,
    PROTOCOL_ERROR,
    TEXT,
    Bad,
    Frame,
    MessageReader,
    close_body,
    closing,
    legal_code,
    pack,
    unmask,
)

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
    frames = MessageReader()
    got = [frame for i in range(0, len(stream), step) for frame in frames.feed(stream[i : i + step])]
    assert got == [Frame(BINARY, message) for message in messages]


@given(st.lists(st.binary(), min_size=2))
def test_fragments_are_joined(parts):
    kinds = [TEXT] + [0] * (len(parts) - 1)
    pieces = [
        client(kind, part, fin=i == len(parts) - 1) for i, (kind, part) in enumerate(zip(kinds, parts, strict=True))
    ]
    assert list(MessageReader().feed(b"".join(pieces))) == [Frame(TEXT, b"".join(parts))]


@given(st.binary())
def test_unmasking_twice_gives_the_data_back(data):
    assert unmask(unmask(data, KEY), KEY) == data


@given(st.binary())
def test_any_bytes_are_frames_or_a_broken_protocol(data):
    with contextlib.suppress(Bad):
        list(MessageReader().feed(data))


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
        list(MessageReader().feed(data))


LEGAL = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
ILLEGAL = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]


@pytest.mark.parametrize("code", LEGAL)
def test_a_code_that_may_be_sent_is_heard_with_its_reason(code):
    assert closing(code.to_bytes(2) + "schön".encode()) == (code, "schön")
    assert close_body(code, "schön") == code.to_bytes(2) + "schön".encode()


@pytest.mark.parametrize("code", ILLEGAL)
def test_a_code_that_may_not_be_sent_breaks_the_protocol_and_leaves_no_application(code):
    with pytest.raises(Bad) as broken:
        closing(code.to_bytes(2))
    assert broken.value.code == PROTOCOL_ERROR
    with pytest.raises(ValueError, match=f"^{code} "):
        close_body(code, "")


def test_a_close_frame_without_a_body_has_no_status():
    assert closing(b"") == (NO_STATUS, "")


@pytest.mark.parametrize("body", [b"\x03", b"\xff"])
def test_one_byte_is_no_code(body):
    with pytest.raises(Bad) as broken:
        closing(body)
    assert broken.value.code == PROTOCOL_ERROR


@pytest.mark.parametrize("reason", [b"\xff", b"ok\xc3", "\ud800".encode(errors="surrogatepass")])
def test_a_reason_that_is_no_utf_8_is_bad_data(reason):
    with pytest.raises(Bad) as broken:
        closing((1000).to_bytes(2) + reason)
    assert broken.value.code == BAD_DATA


@example("€" * 50)
@example("😀" * 40)
@given(st.text(alphabet="aé€😀", max_size=130))
def test_a_long_reason_is_cut_between_two_characters(reason):
    code, told = closing(close_body(1000, reason))
    assert code == 1000
    assert reason.startswith(told)
    assert len(told.encode()) > min(len(reason.encode()), 123) - 4


@given(st.integers(-1, 70000))
def test_every_code_is_told_or_refused(code):
    assert legal_code(code) == (code in LEGAL or 3000 <= code < 5000)
