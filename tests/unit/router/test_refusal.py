"""The router's own answers."""

import json

import pytest

from wick_api.reason import Refusal
from wick_router.http.refusal import STATUS, RefusedRequest, answer


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_has_a_status_and_a_body_that_says_what_it_is(refusal):
    head, _, body = answer(RefusedRequest(refusal, 'say "why"\r\n', "ImagePull"), "ns/f", b"id", close=True).partition(
        b"\r\n\r\n"
    )
    error = json.loads(body)["error"]
    assert head.startswith(b"HTTP/1.1 %d " % STATUS[refusal])
    assert f"Content-Length: {len(body)}".encode() in head
    assert (error["code"], error["function"], error["requestId"]) == (refusal.value, "ns/f", "id")
    assert ("retryAfter" in error) == (b"Retry-After" in head)
    assert error["message"] == 'say "why"\r\n'


def test_head_requests_get_the_head_alone():
    whole = answer(RefusedRequest(Refusal.DEADLINE, "late"), "", b"id", close=False)
    assert whole.startswith(answer(RefusedRequest(Refusal.DEADLINE, "late"), "", b"id", close=False, head_only=True))


def test_an_answer_is_this_to_the_byte():
    body = (
        b'{"error": {"code": "queue-full", "message": "m", "function": "ns/f", "requestId": "id", "reason": "Why", '
        b'"retryAfter": 1}}\n'
    )
    head = (
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
        b"X-Request-Id: id\r\nRetry-After: 1\r\nAllow: GET\r\n" % len(body)
    )
    refused = RefusedRequest(Refusal.QUEUE_FULL, "m", "Why", headers=b"Allow: GET\r\n")
    assert answer(refused, "ns/f", b"id", close=True) == head + b"Connection: close\r\n\r\n" + body
    assert answer(refused, "ns/f", b"id", close=False) == head + b"\r\n" + body
    assert answer(refused, "ns/f", b"id", close=False, head_only=True) == head + b"\r\n"


def test_what_will_not_pass_by_itself_names_no_time_and_no_reason_it_has_not():
    whole = answer(RefusedRequest(Refusal.UNKNOWN_FUNCTION, "m"), "", b"id", close=False)
    assert whole.endswith(
        b"X-Request-Id: id\r\n\r\n"
        b'{"error": {"code": "unknown-function", "message": "m", "function": "", "requestId": "id"}}\n'
    )


def test_an_exact_status_wins_over_the_table_s():
    assert answer(RefusedRequest(Refusal.BAD_REQUEST, "m", status=408), "", b"id", close=True).startswith(
        b"HTTP/1.1 408 Request Timeout\r\n"
    )
