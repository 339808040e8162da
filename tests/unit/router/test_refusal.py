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
