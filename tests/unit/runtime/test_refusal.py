"""The runtime's own answers, and the rules by which a head is refused."""

import json

import pytest

from wick_runtime.http.exchange import Exchange
from wick_runtime.http.message.refusal import REASONS, ErrorAnswer, bad_request, raw
from wick_runtime.http.message.rules import MAX_TARGET, check

HOST = (b"host", b"a")


def checked(*headers, method="POST", target=b"/", http10=False):
    exchange = Exchange(None, method, target, list(headers))
    exchange.http10 = http10
    check(exchange)
    return exchange


def test_a_whole_answer_names_its_request_and_ends_its_connection():
    answer = raw(ErrorAnswer(429, "too-many-requests", "full", refused="concurrency"), "hello", "id-1")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    for line in (b"kubewick-refused: concurrency", b"retry-after: 1", b"x-request-id: id-1", b"connection: close"):
        assert line in head.split(b"\r\n")
    assert b"content-length: %d" % len(body) in head
    said = {"code": "too-many-requests", "message": "full", "function": "hello", "requestId": "id-1", "retryAfter": 1}
    assert json.loads(body) == {"error": said}


def test_what_user_code_may_have_seen_is_told_as_no_refusal():
    assert dict(bad_request("no").headers()) == {b"content-type": b"application/json"}


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"headers": [HOST, HOST]}, 400),
        ({"headers": []}, 400),
        ({"headers": [(b"host", b"a b")]}, 400),
        ({"headers": [HOST, (b"content-length", b"5"), (b"content-length", b"5")]}, 400),
        ({"headers": [HOST, (b"content-length", b"5"), (b"transfer-encoding", b"chunked")]}, 400),
        ({"headers": [HOST, (b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")]}, 400),
        ({"headers": [HOST, (b"transfer-encoding", b"gzip")]}, 400),
        ({"headers": [HOST, (b"transfer-encoding", b"chunked")], "http10": True}, 400),
        ({"headers": [HOST, (b"content-length", b"+5")]}, 400),
        ({"headers": [HOST, (b"content-length", b"1" * 20)]}, 400),
        ({"headers": [HOST, (b"expect", b"miracles")]}, 417),
        ({"headers": [HOST], "target": b"/" + b"a" * MAX_TARGET}, 414),
        ({"headers": [HOST], "target": b"/#a"}, 400),
        ({"headers": [HOST], "target": b"*"}, 400),
        ({"headers": [HOST], "method": "CONNECT"}, 501),
    ],
)
def test_a_head_that_cannot_be_served_is_refused_and_ends_its_connection(how, status):
    more = {name: value for name, value in how.items() if name != "headers"}
    exchange = checked(*how["headers"], **more)
    assert (exchange.refusal.status, exchange.keep_alive) == (status, False)
    assert status in REASONS


def test_what_the_router_says_is_read_and_a_strangers_nonsense_ignored():
    told = checked(
        HOST, (b"kubewick-deadline-ms", b"1500"), (b"kubewick-attempt", b"2"), (b"kubewick-cold-start", b"1")
    )
    assert (told.deadline, told.attempt, told.cold_start, told.refusal) == (1.5, 2, True, None)
    odd = checked(HOST, (b"kubewick-deadline-ms", b"-1"), (b"kubewick-attempt", b"x"), (b"x-request-id", b"a b"))
    assert (odd.deadline, odd.attempt, odd.request_id, odd.refusal) == (0.0, 1, b"", None)


def test_an_offer_of_another_protocol_with_a_body_is_no_fault_and_its_body_is_read_apart():
    assert checked(HOST, (b"upgrade", b"h2c"), (b"transfer-encoding", b"chunked")).body_apart
    assert not checked(HOST, (b"upgrade", b"h2c"), (b"content-length", b"0")).body_apart
