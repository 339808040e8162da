"""What a request head must keep to beyond what a parser checks, and what the platform's headers in it mean.

Pure: the same for both parsers.
"""

import re
from functools import lru_cache
from typing import Final, Protocol

from wick_runtime.http.message.refusal import ErrorAnswer, Headers, bad_request

MAX_TARGET: Final = 16384
MAX_ID: Final = 128
_UNKNOWN: Final = 100
"""Counts a transfer coding that is not ``chunked``, and a host that is none."""
_KNOWN: Final = frozenset((
    b"host", b"cookie", b"upgrade", b"content-length", b"transfer-encoding", b"expect", b"x-request-id",
    b"kubewick-deadline-ms", b"kubewick-attempt", b"kubewick-cold-start", b"kubewick-trace",
))  # fmt: skip
_VISIBLE = frozenset(range(0x21, 0x7F))
_HOST: Final = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]*)(:[0-9]{0,5})?")


class RequestHead(Protocol):
    """A request's head as parsed, and what the rules make of it."""

    method: str
    target: bytes
    headers: Headers
    http10: bool
    length: int | None
    body_apart: bool
    upgrades: bool
    expects: bool
    keep_alive: bool
    request_id: bytes
    deadline: float
    attempt: int
    cold_start: bool
    traced: bool
    refusal: ErrorAnswer | None


@lru_cache(maxsize=256)
def legal_host(host: bytes) -> bool:
    """Whether a ``Host`` is a name or address with an optional port, as the router asks; few are seen, and often."""
    return _HOST.fullmatch(host) is not None


def head_too_large(message: str) -> ErrorAnswer:
    return ErrorAnswer(431, "headers-too-large", message)


def check(head: RequestHead) -> None:  # noqa: C901, PLR0912 - one pass over the fields, paid by every request
    """Read the platform's headers into `head`; one that cannot be served gets a refusal."""
    hosts = lengths = codings = cookies = 0
    for name, value in head.headers:
        if name not in _KNOWN:
            continue
        if name == b"host":
            hosts += 1 if legal_host(value) else _UNKNOWN
        elif name == b"cookie":
            cookies += 1
        elif name == b"content-length":
            lengths += 1
            head.length = int(value) if value.isdigit() and len(value) < 20 else -1  # noqa: PLR2004 - below 2^64
        elif name == b"transfer-encoding":
            codings += 1 if value.lower() == b"chunked" else _UNKNOWN
        elif name == b"upgrade":
            head.upgrades = True
        elif name == b"expect":
            _expect(head, value)
        elif name == b"x-request-id":
            if len(value) <= MAX_ID and _VISIBLE.issuperset(value):
                head.request_id = value
        else:
            _platform(head, name, value)
    target = head.target
    odd = not target.startswith(b"/") or b"#" in target or len(target) > MAX_TARGET or head.method == "CONNECT"
    if hosts != 1 or lengths or codings or odd:
        head.refusal = head.refusal or _framing(head, hosts, lengths, codings)
    if cookies > 1:
        head.headers = one_cookie(head.headers)
    if head.upgrades and (head.length or codings):
        head.body_apart = True
    if head.refusal is not None:
        head.keep_alive = False


def one_cookie(headers: Headers) -> Headers:
    """Several ``Cookie`` lines, into which HTTP/2 may split it, as one (RFC 9113, 8.2.3), in the place of the first."""
    whole = b"; ".join(value for name, value in headers if name == b"cookie")
    first = next(at for at, (name, _) in enumerate(headers) if name == b"cookie")
    others = [(name, value) for name, value in headers[first:] if name != b"cookie"]
    return [*headers[:first], (b"cookie", whole), *others]


def _expect(head: RequestHead, value: bytes) -> None:
    if value.lower() == b"100-continue":
        head.expects = not head.http10
    else:
        head.refusal = ErrorAnswer(417, "bad-request", "only 'Expect: 100-continue' is understood")


def _platform(head: RequestHead, name: bytes, value: bytes) -> None:
    """The router's headers; ones that are not numbers come from somebody else and are ignored."""
    if name == b"kubewick-deadline-ms" and value.isdigit() and len(value) < 12:  # noqa: PLR2004 - 30 years
        head.deadline = max(int(value), 1) / 1000
    elif name == b"kubewick-attempt" and value.isdigit() and len(value) < 6:  # noqa: PLR2004 - nobody tries so often
        head.attempt = int(value)
    elif name == b"kubewick-trace":
        head.traced = value == b"1"
    elif name == b"kubewick-cold-start":
        head.cold_start = value == b"1"


def _framing(head: RequestHead, hosts: int, lengths: int, codings: int) -> ErrorAnswer | None:
    if hosts >= _UNKNOWN:
        return bad_request("the Host header is not a host name")
    if hosts > 1 or (hosts == 0 and not head.http10):
        return bad_request("exactly one Host header is needed")
    if lengths > 1 or (codings and lengths) or 1 < codings < _UNKNOWN:
        return bad_request("the body's length is given twice")
    if codings and (head.http10 or codings >= _UNKNOWN):
        return bad_request("only the transfer coding chunked is understood, and only in HTTP/1.1")
    if head.length == -1:
        return bad_request("Content-Length is not a number")
    return _target(head)


def _target(head: RequestHead) -> ErrorAnswer | None:
    target = head.target
    if head.method == "CONNECT":
        return ErrorAnswer(501, "method-not-allowed", "CONNECT is not offered")
    if len(target) > MAX_TARGET:
        return ErrorAnswer(414, "headers-too-large", "the request target is longer than 16 KiB")
    if b"#" in target:
        return bad_request("the request target has a fragment")
    if not target[:8].lower().startswith((b"/", b"http://", b"https://")) and not (
        target == b"*" and head.method == "OPTIONS"
    ):
        return bad_request("the request target is not a path")
    return None
