"""What a request's head means: how long its body is, what becomes of its connection, and whose it is.

Each step returns the refusal that ends the request, or None and has filled in the exchange.
"""

from typing import TYPE_CHECKING, NamedTuple

from wick_api.reason import Refusal
from wick_api.routing import Match, WrongMethod
from wick_router.http import heads
from wick_router.http.refusal import RefusedRequest

if TYPE_CHECKING:
    from wick_router.proxy.client_connection import ClientConnection
    from wick_router.proxy.data_plane import DataPlane
    from wick_router.proxy.exchange import ProxyExchange
    from wick_router.proxy.upstream import Upstream

Fields = dict[bytes, bytes]


def framing(exchange: "ProxyExchange", read: Fields) -> RefusedRequest | None:
    """Decide how long the body is; the refusal when two readers could disagree on it."""
    length, coding = read.get(b"content-length"), read.get(b"transfer-encoding")
    if coding is not None:
        if coding.lower() != b"chunked" or not exchange.minor or length is not None:
            return RefusedRequest(Refusal.BAD_REQUEST, "Transfer-Encoding: only chunked, in HTTP/1.1, without a length")
        exchange.chunked = True
    elif length is not None:
        if not length.isdigit():
            return RefusedRequest(Refusal.BAD_REQUEST, "Content-Length is not a number")
        exchange.length = int(length)
    if b"expect" in read:
        if read[b"expect"].lower() != b"100-continue":
            return RefusedRequest(Refusal.BAD_REQUEST, "Expect: only 100-continue is known", status=417)
        exchange.expects = bool(exchange.minor) and (exchange.chunked or exchange.length > 0)
    if b"connection" in read or b"te" in read:
        _connection(exchange, read)
    return None


def _connection(exchange: "ProxyExchange", read: Fields) -> None:
    connection = heads.tokens(read.get(b"connection"))
    if connection:
        if b"upgrade" in connection and exchange.minor and not (exchange.length or exchange.chunked):
            exchange.upgrade = _upgrade(read.get(b"upgrade"))
        exchange.kept = heads.without(exchange.kept, connection)
    if b"trailers" in heads.tokens(read.get(b"te")):
        exchange.kept.append(b"TE: trailers\r\n")


def _upgrade(value: bytes | None) -> bytes:
    """The protocol asked for, when it is one that may be passed on.

    Not HTTP/2: an instance that accepted it would speak past every rule of this router (h2c smuggling).
    """
    if value is None or b"," in value or value.lower().startswith((b"h2", b"http", b"tls")):
        return b""
    return value


class Edition:
    """One state of the table; each change of the table makes another. (A named class: mypyc knows no bare `object`.)"""


class RouteCache(NamedTuple):
    """What the last request of a connection found; most connections ask for one function again and again."""

    edition: Edition
    """The table's, when it was found; once that is another, it does not hold any more."""
    host: bytes
    prefix: bytes
    """What is taken off the path; then the rest must begin with a slash."""
    upstream: "Upstream"
    origin: bytes


def route(client: "ClientConnection", exchange: "ProxyExchange", read: Fields, url: bytes) -> RefusedRequest | None:
    """Find the function, and what its instance will read; the refusal when there is none."""
    host = read.get(b"host")
    route_cache = client.route_cache
    if (
        route_cache is not None
        and route_cache.host == host
        and route_cache.edition is client.plane.edition
        and url.find(b"#") < 0
    ):
        prefix, upstream = route_cache.prefix, route_cache.upstream
        if (not prefix and url[0] == heads.SLASH) or (prefix and url.startswith(prefix + b"/")):
            exchange.upstream, exchange.origin = upstream, route_cache.origin
            exchange.target = url[len(prefix) :]
            return exchange.too_large() if exchange.length > upstream.max_request_bytes else None
    if host is None:
        if exchange.minor:
            return RefusedRequest(Refusal.BAD_REQUEST, "the request has no Host field")
        host = b""
    if url[0] != heads.SLASH:
        absolute = heads.split_absolute(url)
        if absolute is not None:
            host, url = absolute
        elif url != b"*" or exchange.method != b"OPTIONS":
            return RefusedRequest(Refusal.BAD_REQUEST, "the request's target is neither a path nor an http URL")
    if b"#" in url:
        return RefusedRequest(Refusal.BAD_REQUEST, "the request's target has characters a target may not have")
    if not heads.legal_host(host):
        return RefusedRequest(Refusal.BAD_REQUEST, "the Host field is not a host name")
    lines = heads.forwarded(client.peer, client.scheme, host, read if client.trusted else None)
    exchange.origin = b" HTTP/1.1\r\nHost: %b\r\n%b" % (host, lines)
    return _find(client, exchange, host, url)


def _find(client: "ClientConnection", exchange: "ProxyExchange", host: bytes, url: bytes) -> RefusedRequest | None:
    plane = client.plane
    found = plane.table.find(host, exchange.method, url, public=client.public and plane.hides)
    if type(found) is Match:
        upstream = plane.upstreams[found.key]
        exchange.upstream, exchange.target = upstream, found.target
        if found.prefix:
            exchange.origin += b"X-Forwarded-Prefix: %b\r\n" % found.prefix
        hidden = client.public and not upstream.public  # served for the time of an upgrade: `Config.public_serves`
        if hidden:
            upstream.not_public += 1
        elif found.sole and not client.trusted:
            client.route_cache = RouteCache(plane.edition, host, found.prefix, upstream, exchange.origin)
        return exchange.too_large() if exchange.length > upstream.max_request_bytes else None
    if isinstance(found, WrongMethod):
        message = f"{exchange.method.decode()} is not served here"
        return RefusedRequest(Refusal.METHOD_NOT_ALLOWED, message, headers=b"Allow: %b\r\n" % found.allow)
    if not plane.informed:
        return RefusedRequest(Refusal.CANNOT_START, "this router has just started and does not know the functions yet")
    if client.public:
        _count_hidden(plane, host, exchange.method, url)
    return RefusedRequest(Refusal.UNKNOWN_FUNCTION, plane.unknown(host, url))


def _count_hidden(plane: "DataPlane", host: bytes, method: bytes, url: bytes) -> None:
    """Whose request it would have been on an internal listener is counted, and nobody is told."""
    hidden = plane.table.find(host, method, url)
    if type(hidden) is Match:
        plane.upstreams[hidden.key].not_public += 1
