import base64
import contextlib
import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_runtime.call.answer import answer
from wick_runtime.forms.cloudevent import BATCHED, STRUCTURED, CloudEvent, NotAnEvent, decode, encode, encode_batch

NAMES = st.sampled_from(["subject", "traceid", "myext1", "time"])
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1)
DATA = (
    st.none() | st.binary(min_size=1) | st.dictionaries(st.text(), st.integers() | st.text()) | st.lists(st.integers())
)
EVENTS = st.builds(
    lambda kind, source, extra, data: CloudEvent({**extra, "id": "1", "type": kind, "source": source}, data),
    TEXTS, TEXTS, st.dictionaries(NAMES, TEXTS), DATA,
)  # fmt: skip


def over_the_wire(response):
    sent = answer(response)
    return [(name.lower(), value) for name, value in sent.headers], sent.body


def known(event):
    return {name: value for name, value in event.attributes.items() if name != "datacontenttype"}


@given(EVENTS)
def test_an_event_survives_binary_mode(event):
    got = decode(*over_the_wire(encode(event)))
    assert known(got) == known(event)
    assert got.data == event.data


@given(st.text(alphabet="%41 é", min_size=1).filter(lambda text: text == text.strip()))
def test_percent_signs_in_an_attribute_survive_binary_mode(text):
    event = CloudEvent({"id": "1", "type": "t", "source": "s", "subject": text})
    assert decode(*over_the_wire(encode(event)))["subject"] == text


@given(EVENTS)
def test_an_event_survives_structured_mode(event):
    assert decode(*over_the_wire(encode(event, structured=True))) == event


@given(st.lists(EVENTS))
def test_a_batch_survives(events):
    assert decode(*over_the_wire(encode_batch(events))) == events


@given(st.lists(st.tuples(st.sampled_from([b"ce-id", b"ce-type", b"content-type", b"ce-x"]), st.binary())), st.binary())
def test_whatever_arrives_is_an_event_or_not_one(headers, body):
    with contextlib.suppress(NotAnEvent):
        decode(headers, body)


@pytest.mark.parametrize("missing", ["ce-id", "ce-type", "ce-source", "ce-specversion"])
def test_a_missing_attribute_is_named(missing):
    headers = {"ce-id": b"1", "ce-type": b"t", "ce-source": b"s", "ce-specversion": b"1.0"}
    del headers[missing]
    with pytest.raises(NotAnEvent, match=missing[3:]):
        decode([(name.encode(), value) for name, value in headers.items()], b"")


@pytest.mark.parametrize("missing", ["id", "source", "type", "specversion"])
@pytest.mark.parametrize("value", [None, "", 7], ids=repr)
def test_a_required_attribute_of_a_structured_event_is_text(missing, value):
    event = {"id": "1", "type": "t", "source": "s", "specversion": "1.0", missing: value}
    with pytest.raises(NotAnEvent, match=missing):
        decode([(b"content-type", STRUCTURED.encode())], json.dumps(event).encode())


HEADERS = [(b"ce-id", b"1"), (b"ce-type", b"t"), (b"ce-source", b"s"), (b"ce-specversion", b"1.0")]
LATIN, WIDE = "é".encode("latin-1"), '"é"'.encode("utf-16")


@pytest.mark.parametrize(
    ("kind", "body", "data"),
    [
        ("text/plain", "é".encode(), "é"),
        ("text/plain; charset=ISO-8859-1", LATIN, "é"),
        ('text/plain; format=flowed; charset="iso-8859-1"', LATIN, "é"),
        ("text/plain", LATIN, LATIN),
        ("text/plain; charset=klingon", LATIN, LATIN),
        ("text/plain; charset=utf-8", LATIN, LATIN),
        ("text/plain; charset=rot13", b"abc", b"abc"),
        ("text/plain; charset=punycode", b"abc", b"abc"),
        ("text/plain; charset=", b"abc", "abc"),
        ("Application/JSON; charset=latin-1", b'"' + LATIN + b'"', "é"),
        ("application/json; charset=utf-16", WIDE, "é"),
        ("application/x+json", b"[1]", [1]),
        ("application/json; charset=klingon", b"[1]", b"[1]"),
        ("application/octet-stream; charset=utf-8", b"abc", b"abc"),
    ],
)
def test_data_is_decoded_by_its_charset_or_stays_bytes(kind, body, data):
    assert decode([*HEADERS, (b"content-type", kind.encode())], body).data == data


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "UTF-8"])
def test_a_structured_event_is_read_by_its_charset(charset):
    event = json.dumps({"id": "é", "type": "t", "source": "s", "specversion": "1.0"}, ensure_ascii=False)
    kind = f"{STRUCTURED}; charset={charset}"
    assert decode([(b"content-type", kind.encode())], event.encode(charset))["id"] == "é"


def test_a_structured_event_in_an_unknown_charset_is_refused_by_its_name():
    with pytest.raises(NotAnEvent, match="klingon"):
        decode([(b"content-type", f"{BATCHED}; charset=klingon".encode())], b"[]")


@pytest.mark.parametrize(
    ("kind", "content", "data"),
    [
        ("application/json", b'{"a": 1}', {"a": 1}),
        ("application/x+json; charset=utf-8", b"[1]", [1]),
        ("text/plain", b"a", "a"),
        ("image/gif", b"GIF", b"GIF"),
    ],
)
def test_data_in_base64_is_what_it_would_be_in_binary_mode(kind, content, data):
    event = {"id": "1", "type": "t", "source": "s", "specversion": "1.0", "datacontenttype": kind}
    body = json.dumps(event | {"data_base64": base64.b64encode(content).decode()}).encode()
    assert decode([(b"content-type", STRUCTURED.encode())], body).data == data
    assert decode([*HEADERS, (b"content-type", kind.encode())], content).data == data


def test_attributes_and_text_are_written_as_the_specification_has_them():
    moment = dt.datetime(2026, 11, 28, 9, 5, tzinfo=dt.UTC)
    given = {"id": "1", "type": "t", "source": "s", "time": moment, "flag": True, "datacontenttype": "application/json"}
    headers, body = over_the_wire(encode(CloudEvent(given, "text")))
    fields = dict(headers)
    assert (fields[b"ce-time"], fields[b"ce-flag"], body) == (b"2026-11-28T09:05:00Z", b"true", b'"text"')
    structured = json.loads(over_the_wire(encode(CloudEvent(given, "text"), structured=True))[1])
    assert (structured["time"], structured["flag"], structured["data"]) == ("2026-11-28T09:05:00Z", True, "text")


def test_structured_data_in_base64_is_bytes():
    event = {
        "id": "1",
        "type": "t",
        "source": "s",
        "specversion": "1.0",
        "data_base64": base64.b64encode(b"\xff").decode(),
    }
    assert decode([(b"content-type", STRUCTURED.encode())], json.dumps(event).encode()).data == b"\xff"


def test_another_version_of_the_specification_is_refused():
    event = {"id": "1", "type": "t", "source": "s", "specversion": "0.3"}
    with pytest.raises(NotAnEvent, match=r"0\.3"):
        decode([(b"content-type", BATCHED.encode())], json.dumps([event]).encode())
