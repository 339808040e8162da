"""Where the client called, as the router says it in ``X-Forwarded-*`` (docs/contracts.md), for the forms that tell it.

The router drops these fields of every client and writes its own, so an instance believes them as they come; without a
router they are absent, and `Host` says what it can.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from wick_runtime.http.message.refusal import Headers

HTTPS: Final = "https"
_PORTS: Final = {"http": 80, HTTPS: 443}
_FIELDS: Final = frozenset((b"host", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-prefix"))
_SCHEMES: Final = {b"http": "http", b"https": HTTPS, b"ws": "http", b"wss": HTTPS}
"""Some proxies name a WebSocket's own scheme."""
_PREFIX: Final = re.compile(rb"(?:/[A-Za-z0-9._~-]+)+")
"""What may be put before a path: with an empty segment, ``//host/path`` would lead to another host."""


class Origin(NamedTuple):
    """See the module."""

    scheme: str
    """``http`` or ``https``."""
    client: str
    """The client's address; empty where nobody says it."""
    prefix: bytes
    """What the router has taken off the path: empty, or ``/function/<namespace>/<name>``."""
    server: tuple[str, int] | None
    """Host and port that the client called; None without a ``Host``."""


def origin(headers: Headers) -> Origin:
    """Of one request."""
    host = client = proto = prefix = b""
    for name, value in headers:
        if name not in _FIELDS:
            continue
        if name == b"host":
            host = value
        elif name == b"x-forwarded-for":
            client = value
        elif name == b"x-forwarded-proto":
            proto = value
        else:
            prefix = value
    return _read(host, client, proto, prefix)


@lru_cache(maxsize=256)
def _read(host: bytes, client: bytes, proto: bytes, prefix: bytes) -> Origin:
    """Few are seen, and often."""
    scheme = _SCHEMES.get(proto.lower(), "http")
    first = client.partition(b",")[0].strip()
    if not _PREFIX.fullmatch(prefix):
        prefix = b""
    return Origin(scheme, first.decode("latin-1"), prefix, _server(host.decode("latin-1"), _PORTS[scheme]))


def _server(host: str, port: int) -> tuple[str, int] | None:
    """`host` may have a port of its own; an IPv6 address is in brackets (RFC 9110, 7.2)."""
    name, colon, given = host.rpartition(":")
    if colon and given.isdigit():
        return name, int(given)
    return (host, port) if host else None
