"""What the router answers itself: a status and a JSON body for every `Refusal`.

The body is ``{"error": {"code", "message", "function", "requestId", "reason"?, "retryAfter"?}}``.
"""

import json
from http import HTTPStatus

from msgspec import Struct

from wick_api.reason import Refusal

STATUS = {
    Refusal.UNKNOWN_FUNCTION: 404,
    Refusal.METHOD_NOT_ALLOWED: 405,
    Refusal.BAD_REQUEST: 400,
    Refusal.BODY_TOO_LARGE: 413,
    Refusal.HEADERS_TOO_LARGE: 431,
    Refusal.TOO_MANY_REQUESTS: 429,
    Refusal.QUEUE_FULL: 503,
    Refusal.INSTANCE_FAILED: 502,
    Refusal.CANNOT_START: 503,
    Refusal.DEADLINE: 504,
    Refusal.SHUTTING_DOWN: 503,
}
RETRY_AFTER = {
    Refusal.QUEUE_FULL: 1,
    Refusal.CANNOT_START: 5,
    Refusal.SHUTTING_DOWN: 1,
    Refusal.TOO_MANY_REQUESTS: 1,
    Refusal.DEADLINE: 1,
}
"""Seconds after which another try may fare better."""
NO_FUNCTION_LIMIT = 256
"""Longest part of a client's own words repeated in an answer."""


def _phrase(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""


STATUS_LINES = tuple(b"HTTP/1.1 %d %b\r\n" % (status, _phrase(status)) for status in range(1000))
"""By status."""


class RefusedRequest(Struct, frozen=True):
    """One refusal, ready to be answered."""

    refusal: Refusal
    message: str
    reason: str = ""
    status: int = 0
    """Another status than the table's, where the protocol has a more exact one; 0: the table's."""
    headers: bytes = b""
    """Further header lines, each with its line end."""

    @property
    def code(self) -> int:
        return self.status or STATUS[self.refusal]


def answer(refused: RefusedRequest, function: str, request_id: bytes, *, close: bool, head_only: bool = False) -> bytes:
    """The whole response; the body is left out for HEAD."""
    error: dict[str, str | int] = {
        "code": refused.refusal.value,
        "message": refused.message,
        "function": function,
        "requestId": request_id.decode("ascii"),
    }
    retry_after = RETRY_AFTER.get(refused.refusal)
    if refused.reason:
        error["reason"] = refused.reason
    if retry_after is not None:
        error["retryAfter"] = retry_after
    body = json.dumps({"error": error}).encode() + b"\n"
    return b"".join(
        (
            STATUS_LINES[refused.code],
            b"Content-Type: application/json\r\nContent-Length: %d\r\nX-Request-Id: %b\r\n" % (len(body), request_id),
            b"Retry-After: %d\r\n" % retry_after if retry_after is not None else b"",
            refused.headers,
            b"Connection: close\r\n\r\n" if close else b"\r\n",
            b"" if head_only else body,
        )
    )
