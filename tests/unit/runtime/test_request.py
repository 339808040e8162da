"""What a native handler reads of its request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_runtime.call.request import Request, split


def request(target=b"/", headers=(), body=b""):
    return Request("POST", target, list(headers), body)


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        (b"/a?b=c", (b"/a", b"b=c")),
        (b"/a?b?c", (b"/a", b"b?c")),
        (b"/", (b"/", b"")),
        (b"http://h/a?b", (b"/a", b"b")),
        (b"http://h", (b"/", b"")),
        (b"/x://y?z", (b"/x://y", b"z")),
        (b"*", (b"*", b"")),
    ],
)
def test_a_target_is_path_and_query_in_whatever_form(target, parts):
    assert split(target) == parts


def test_headers_are_found_in_any_case_and_joined_by_their_kind():
    raw = [(b"a", b"1"), (b"a", b"2"), (b"cookie", b"c=3"), (b"cookie", b"d=4")]
    headers = request(headers=raw).headers
    assert (headers["A"], headers["Cookie"], len(headers)) == ("1, 2", "c=3; d=4", 2)
    assert headers.get("b") is None


def test_path_and_query_are_decoded_and_of_one_name_the_last_counts():
    asked = request(b"/a%20b?c=1&c=2&d=")
    assert (asked.path, asked.query, asked.query_all) == (
        "/a b",
        {"c": "2", "d": ""},
        [("c", "1"), ("c", "2"), ("d", "")],
    )
    assert (request(b"/").query, request(b"/").query_all) == ({}, [])


@pytest.mark.parametrize("kind", [b"text/plain", b"text/plain; charset=UTF-8", b'text/plain; charset="utf-8"; a=b'])
def test_text_is_utf_8_unless_its_type_says_otherwise(kind):
    assert request(headers=[(b"content-type", kind)], body="é".encode()).text() == "é"
    assert request(headers=[(b"content-type", b"text/plain; charset=latin-1")], body=b"\xe9").text() == "é"


@given(st.dictionaries(st.text(), st.integers()))
def test_json_is_read_as_it_was_written(value):
    import json

    assert request(body=json.dumps(value).encode()).json() == value
