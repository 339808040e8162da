import base64
import contextlib
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


@pytest.mark.parametrize("missing", ["ce-id", "ce-type", "ce-source"])
def test_a_missing_attribute_is_named(missing):
    headers = {"ce-id": b"1", "ce-type": b"t", "ce-source": b"s", "ce-specversion": b"1.0"}
    del headers[missing]
    with pytest.raises(NotAnEvent, match=missing[3:]):
        decode([(name.encode(), value) for name, value in headers.items()], b"")


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
