import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_runtime.call.answer import Response, Unsuitable, answer
from wick_runtime.http.head import InvalidHeader


@pytest.mark.parametrize(
    ("result", "status", "kind", "body"),
    [
        ("hé", 200, b"text/plain; charset=utf-8", "hé".encode()),
        (b"\x00", 200, b"application/octet-stream", b"\x00"),
        ({"a": 1}, 200, b"application/json", b'{"a": 1}'),
        ([1], 200, b"application/json", b"[1]"),
        (True, 200, b"application/json", b"true"),
        (("no", 404), 404, b"text/plain; charset=utf-8", b"no"),
        (("<p>", 200, {"Content-Type": "text/html"}), 200, b"text/html", b"<p>"),
        (Response({"a": 1}, 201), 201, b"application/json", b'{"a": 1}'),
    ],
)
def test_what_a_handler_returns_says_how_it_is_sent(result, status, kind, body):
    got = answer(result)
    assert (got.status, got.body) == (status, body)
    assert [value for name, value in got.headers if name.lower() == b"content-type"] == [kind]


def test_nothing_is_no_content():
    assert answer(None) == (204, [], b"")


def test_several_values_of_one_header_are_several_headers():
    got = answer(("", 200, {"Set-Cookie": ["a=1", "b=2"]}))
    assert [value for name, value in got.headers if name == b"Set-Cookie"] == [b"a=1", b"b=2"]


@pytest.mark.parametrize("result", [object(), {1, 2}, ("a",), ("a", 200, {}, 1), ("a", "200"), ("a", 99), ("a", 600)])
def test_what_cannot_be_sent_is_refused_with_the_choices(result):
    with pytest.raises(Unsuitable):
        answer(result)


@given(st.text(alphabet="a:\r\n\0 ", min_size=1), st.text(alphabet="a\r\n\0"))
def test_no_header_of_a_handler_can_split_the_response(name, value):
    try:
        sent = answer(("", 200, {name: value})).headers
    except InvalidHeader:
        assert set(name) & set(":\r\n\0 ") or set(value) & set("\r\n\0")
    else:
        assert all(b"\r" not in part and b"\n" not in part for pair in sent for part in pair)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_a_list_arrives_as_the_same_json(value):
    assert json.loads(answer([value]).body) == [value]
