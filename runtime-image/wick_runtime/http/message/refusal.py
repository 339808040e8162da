"""Answers the runtime gives by itself: the error body of the platform, and refusals that let a router move on."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

REASONS = {
    100: "Continue", 101: "Switching Protocols", 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content",
    206: "Partial Content", 301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified",
    307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
    404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout", 409: "Conflict", 410: "Gone",
    413: "Content Too Large", 414: "URI Too Long", 415: "Unsupported Media Type", 417: "Expectation Failed",
    422: "Unprocessable Content", 426: "Upgrade Required", 429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Gateway Timeout", 505: "HTTP Version Not Supported",
}  # fmt: skip

Headers = list[tuple[bytes, bytes]]


RETRY_AFTER = 1
"""Seconds after which another try may fare better, where what hinders this one passes by itself."""

_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


class ErrorAnswer(NamedTuple):
    """A request answered without the function's code."""

    status: int
    code: str
    message: str
    refused: str = ""
    """Value of ``Kubewick-Refused``: no user code ran, and why."""
    extra: Mapping[str, object] = _NOTHING
    """More members of the error object."""

    @property
    def passes(self) -> bool:
        """What hinders the request passes by itself: no place, no time, an end; not code that cannot be loaded."""
        return self.status in {429, 503, 504} and self.refused != "failed"

    def headers(self) -> Headers:
        found: Headers = [(b"content-type", b"application/json")]
        if self.refused:
            found.append((b"kubewick-refused", self.refused.encode()))
        if self.passes:
            found.append((b"retry-after", b"%d" % RETRY_AFTER))
        return found

    def body(self, function: str, request_id: str) -> bytes:
        """The platform's error object."""
        error: dict[str, object] = {
            "code": self.code, "message": self.message, "function": function, "requestId": request_id,
        }  # fmt: skip
        if self.passes:
            error["retryAfter"] = RETRY_AFTER
        return json.dumps({"error": {**error, **self.extra}}).encode()


def bad_request(message: str) -> ErrorAnswer:
    return ErrorAnswer(400, "bad-request", message)


def raw(refusal: ErrorAnswer, function: str, request_id: str) -> bytes:
    """A whole response that ends its connection, for use outside any connection object."""
    body = refusal.body(function, request_id)
    lines = [f"HTTP/1.1 {refusal.status} {REASONS[refusal.status]}".encode()]
    lines += [name + b": " + value for name, value in refusal.headers()]
    if request_id:
        lines.append(b"x-request-id: " + request_id.encode("latin-1"))
    lines += [b"content-length: %d" % len(body), b"connection: close", b"", body]
    return b"\r\n".join(lines)
