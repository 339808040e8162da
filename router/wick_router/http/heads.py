"""Heads of requests and responses as the router writes them: always re-serialised, never the peer's own bytes.

What decides framing (``Content-Length``, ``Transfer-Encoding``, ``Connection``, ``Upgrade``), what says who asked
(``Forwarded``, ``X-Forwarded-*``, ``Host``) and what Kubewick's parts tell each other (``Kubewick-*``) is taken out of
the head that came and written anew; all other fields pass in their order.

Pure.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address

from wick_router.config import Network

REQUEST_FIELDS = frozenset(
    (
        b"host", b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"proxy-connection", b"te",
        b"trailer", b"upgrade", b"expect", b"http2-settings", b"proxy-authorization", b"proxy-authenticate",
        b"x-request-id", b"traceparent", b"tracestate", b"forwarded", b"x-forwarded-for", b"x-forwarded-host",
        b"x-forwarded-proto", b"x-forwarded-port", b"x-forwarded-prefix", b"x-forwarded-server", b"x-real-ip",
    )
)  # fmt: skip
"""Request fields that are read and not passed on as they came."""
RESPONSE_FIELDS = frozenset(
    (
        b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer",
        b"upgrade", b"proxy-authenticate", b"x-request-id",
    )
)  # fmt: skip
"""The same of a response."""
NO_TRAILERS = REQUEST_FIELDS | RESPONSE_FIELDS | {
    b"authorization", b"set-cookie", b"content-encoding", b"content-type", b"content-range", b"cache-control",
    b"max-forwards", b"www-authenticate", b"cookie",
}  # fmt: skip
"""Fields that may not come as trailers (RFC 9110, 6.5.1): they would change what has been decided already."""
INTERNAL = b"kubewick-"
TRACE = b"kubewick-trace"
TIMING = b"kubewick-timing"
K, SLASH = b"k/"

_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]*)(:[0-9]{0,5})?")
_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
_TRACE = rb"-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
_TRACEPARENT = re.compile(rb"00" + _TRACE + rb"|(?!00|ff)[0-9a-f]{2}" + _TRACE + rb"(?:-.*)?")
"""W3C Trace Context, 3.2.2: version 00 is exactly that long, a later one may have more fields; ff is no version."""
_NO_TOKEN = re.compile(r"[^A-Za-z0-9_-]")
_ABSOLUTE = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)


def legal_host(host: bytes) -> bool:
    """Whether a ``Host`` is a name or address with an optional port; nothing else is safe to copy into a head."""
    return _HOST.fullmatch(host) is not None


def split_absolute(target: bytes) -> tuple[bytes, bytes] | None:
    """Host and origin form of ``http://host/path``; None when it is not of that form."""
    found = _ABSOLUTE.fullmatch(target)
    if found is None:
        return None
    host, rest = found.group(1), found.group(2)
    return host, rest if rest.startswith(b"/") else b"/" + rest


def identity(request_id: bytes | None, traceparent: bytes | None, digits: bytes) -> tuple[bytes, bytes]:
    """Request id and traceparent: the client's where they are well formed, else made of 48 random digits.

    Both made together share their first 32 digits, so that a log line finds its trace. The client's ``tracestate``
    belongs to its ``traceparent`` and goes where that one goes (W3C Trace Context, 3.3).
    """
    if request_id is None or not _REQUEST_ID.fullmatch(request_id):
        request_id = digits[:32]
    if traceparent is None or not _TRACEPARENT.fullmatch(traceparent):
        traceparent = b"00-%b-%b-00" % (digits[:32], digits[32:])
    return request_id, traceparent


def trusted(peer: str, networks: tuple[Network, ...]) -> bool:
    """Whether a peer's word on who asked is taken."""
    if not networks or not peer:
        return False
    address = ip_address(peer)
    return any(address in network for network in networks)


def forwarded(peer: str, scheme: bytes, host: bytes, earlier: dict[bytes, bytes] | None) -> bytes:
    """The lines that tell an instance who asked; `earlier` holds what a trusted proxy already said."""
    node = peer.encode() or b"unknown"
    element = b'for="[%b]"' % node if b":" in node else b"for=%b" % node
    element += b';host="%b";proto=%b' % (host, scheme)
    chain, proto, original = node, scheme, host
    if earlier:
        chain = b", ".join(filter(None, (earlier.get(b"x-forwarded-for"), node)))
        element = b", ".join(filter(None, (earlier.get(b"forwarded"), element)))
        proto = earlier.get(b"x-forwarded-proto", scheme)
        original = earlier.get(b"x-forwarded-host", host)
    return b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\nForwarded: %b\r\n" % (
        chain,
        proto,
        original,
        element,
    )


def tokens(value: bytes | None) -> list[bytes]:
    """The lower-case members of a comma-separated list."""
    return [token for part in value.lower().split(b",") if (token := part.strip())] if value else []


def without(lines: list[bytes], named: list[bytes]) -> list[bytes]:
    """The header lines but those the peer's ``Connection`` names, which are for this connection only."""
    return [line for line in lines if line.partition(b":")[0].lower() not in named]


def trailer_lines(fields: list[tuple[bytes, bytes]]) -> bytes:
    """Trailers that may be passed on."""
    passed = [
        b"%b: %b\r\n" % (name, value)
        for name, value in fields
        if name.lower() not in NO_TRAILERS and not name.lower().startswith(INTERNAL)
    ]
    return b"".join(passed)


def server_timing(steps: Iterable[tuple[str, float]]) -> bytes:
    """Value of ``Server-Timing``: names and milliseconds."""
    return b", ".join(b"%b;dur=%.1f" % (_NO_TOKEN.sub("-", name).encode(), took) for name, took in steps)
