"""What a request head must keep to beyond what a parser checks, and what the platform's headers in it mean.

Pure: the same for both parsers.
"""

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from wick_runtime.http.refusal import Refusal, bad_request

if TYPE_CHECKING:
    from wick_runtime.http.exchange import Exchange

MAX_TARGET: Final = 16384
MAX_ID: Final = 128
_UNKNOWN: Final = 100
"""Counts a transfer coding that is not ``chunked``, and a host that is none."""
_KNOWN: Final = frozenset((
    b"host", b"upgrade", b"content-length", b"transfer-encoding", b"expect", b"x-request-id",
    b"kubewick-deadline-ms", b"kubewick-attempt", b"kubewick-cold-start",
))  # fmt: skip
_VISIBLE = frozenset(range(0x21, 0x7F))
_HOST: Final = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]*)(:[0-9]{0,5})?")


@lru_cache(maxsize=256)
def legal_host(host: bytes) -> bool:
    """Whether a ``Host`` is a name or address with an optional port, as the router asks; few are seen, and often."""
    return _HOST.fullmatch(host) is not None


def head_too_large(message: str) -> Refusal:
    return Refusal(431, "headers-too-large", message)


def check(exchange: "Exchange") -> None:  # noqa: C901, PLR0912 - one pass over the fields, paid by every request
    """Read the platform's headers into `exchange`; a head that cannot be served leaves a refusal there."""
    hosts = lengths = codings = 0
    upgrades = False
    for name, value in exchange.headers:
        if name not in _KNOWN:
            continue
        if name == b"host":
            hosts += 1 if legal_host(value) else _UNKNOWN
        elif name == b"content-length":
            lengths += 1
            exchange.length = int(value) if value.isdigit() and len(value) < 20 else -1  # noqa: PLR2004 - below 2^64
        elif name == b"transfer-encoding":
            codings += 1 if value.lower() == b"chunked" else _UNKNOWN
        elif name == b"upgrade":
            upgrades = True
        elif name == b"expect":
            _expect(exchange, value)
        elif name == b"x-request-id":
            if len(value) <= MAX_ID and _VISIBLE.issuperset(value):
                exchange.request_id = value
        else:
            _platform(exchange, name, value)
    target = exchange.target
    odd = not target.startswith(b"/") or b"#" in target or len(target) > MAX_TARGET or exchange.method == "CONNECT"
    if hosts != 1 or lengths or codings or odd:
        exchange.refusal = exchange.refusal or _framing(exchange, hosts, lengths, codings)
    if upgrades and (exchange.length or codings):
        exchange.body_apart = True
    if exchange.refusal is not None:
        exchange.keep_alive = False


def _expect(exchange: "Exchange", value: bytes) -> None:
    if value.lower() == b"100-continue":
        exchange.expects = not exchange.http10
    else:
        exchange.refusal = Refusal(417, "bad-request", "only 'Expect: 100-continue' is understood")


def _platform(exchange: "Exchange", name: bytes, value: bytes) -> None:
    """The router's headers; ones that are not numbers come from somebody else and are ignored."""
    if name == b"kubewick-deadline-ms" and value.isdigit() and len(value) < 12:  # noqa: PLR2004 - 30 years
        exchange.deadline = max(int(value), 1) / 1000
    elif name == b"kubewick-attempt" and value.isdigit() and len(value) < 6:  # noqa: PLR2004 - nobody tries so often
        exchange.attempt = int(value)
    elif name == b"kubewick-cold-start":
        exchange.cold_start = value == b"1"


def _framing(exchange: "Exchange", hosts: int, lengths: int, codings: int) -> Refusal | None:
    if hosts >= _UNKNOWN:
        return bad_request("the Host header is not a host name")
    if hosts > 1 or (hosts == 0 and not exchange.http10):
        return bad_request("exactly one Host header is needed")
    if lengths > 1 or (codings and lengths) or 1 < codings < _UNKNOWN:
        return bad_request("the body's length is given twice")
    if codings and (exchange.http10 or codings >= _UNKNOWN):
        return bad_request("only the transfer coding chunked is understood, and only in HTTP/1.1")
    if exchange.length == -1:
        return bad_request("Content-Length is not a number")
    return _target(exchange)


def _target(exchange: "Exchange") -> Refusal | None:
    target = exchange.target
    if exchange.method == "CONNECT":
        return Refusal(501, "method-not-allowed", "CONNECT is not offered")
    if len(target) > MAX_TARGET:
        return Refusal(414, "headers-too-large", "the request target is longer than 16 KiB")
    if b"#" in target:
        return bad_request("the request target has a fragment")
    if not target[:8].lower().startswith((b"/", b"http://", b"https://")) and not (
        target == b"*" and exchange.method == "OPTIONS"
    ):
        return bad_request("the request target is not a path")
    return None
