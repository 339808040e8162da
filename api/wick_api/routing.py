"""Who owns a request: the one decision that router, operator and local platform share.

A request's owner follows from its Host, its path and its method; the first rule that speaks decides:

1. Host ``<name>.<namespace>.<domain>``, for each of `HostPolicy.domains`, belongs to the function it names, whatever
   the path, and to nobody when there is no such function. Without a domain (``<name>.<namespace>``) it does so only
   while that function exists, since two labels may as well be a public name such as ``example.com``.
2. Any other host that an admitted route names: among the routes of that host the longest path prefix.
3. The path ``/function/<namespace>/<name>/…``, whose first three segments are taken off before forwarding.
4. Routes without a host, longest path prefix, on every host that rules 1 and 2 leave to nobody.

A route is admitted when its namespace has leave for its host (`HostPolicy.hosts`). Where two admitted routes have the
same host, prefix and method, the Function that was created first has it, then the lesser uid, then the lesser name.
A prefix ends at a segment: ``/api`` serves ``/api`` and ``/api/x``, not ``/apis``.

Outsiders, who come to a public listener (`find` with `public`), see public functions alone. A function that is not
public is to them as one that does not exist: it has neither host nor path. What it has by routes stays its own, so that
nobody else receives what is meant for it, and they get the same answer as where there is no function.

Pure: the owner is a function of the Functions, the namespaces' labels and the policy; the order in which they became
known does not matter. `Table` is kept up to date by single changes; look-ups are dict reads.
"""

from bisect import insort
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from wick_api.function import Function, Route
from wick_api.hosts import Rule, any_host, granted
from wick_api.names import Key
from wick_api.reason import Reason

PATH_PREFIX = b"/function/"
NAME = 3
"""Where the function's name stands among the segments of such a path."""
EVERY = b"\n"
"""Where claims without a host are kept; no request's Host can be that."""
LABELS = 2
"""DNS labels of ``<name>.<namespace>``."""


class HostPolicy(NamedTuple):
    """What an installation decides about hosts; the same for all its parts."""

    domains: tuple[str, ...] = ()
    """Domains under which ``<name>.<namespace>.<domain>`` is a function; the empty one is ``<name>.<namespace>``."""
    hosts: tuple[Rule, ...] = ()
    """Which namespaces may use which hosts; without any rule every namespace may use all."""
    services: tuple[str, ...] = ()
    """The routers' own Services, ``<name>.<namespace>``: no function's, and no route's."""
    excluded: tuple[str, ...] = ()
    """Namespaces whose Functions are left alone: their routes are not admitted, short hosts are not theirs."""


class Claim(NamedTuple):
    """One admitted route of a host."""

    prefix: bytes
    methods: frozenset[bytes]
    """Empty: all."""
    key: Key
    rank: tuple[int, str, str, Key]
    """Its place among the claims of its host: longest prefix, then oldest Function."""


class Match(NamedTuple):
    """A request belongs to this function."""

    key: Key
    target: bytes
    """What the instance is asked for."""
    prefix: bytes
    """What was taken off the path; empty when nothing was."""
    sole: bool
    """Every request to this host (with this prefix) is the same function's, whatever its method and path."""


class WrongMethod(NamedTuple):
    """Somebody serves this path, but not with this method."""

    allow: bytes
    """Value of the ``Allow`` header."""


_NOBODY: set[Key] = set()
Found = Match | WrongMethod | None


class RouteLost(NamedTuple):
    """A route that no request reaches its Function by, at least for one of its methods."""

    reason: Reason
    message: str


class Table:
    """All routes of all Functions."""

    def __init__(self, policy: HostPolicy, functions: Iterable[Function] = ()) -> None:
        domains = [domain.lower().strip(".") for domain in policy.domains]
        self.whole = True
        """All Functions are known. While they are not, an older one may be missing, so routes lead to nobody."""
        self._policy = policy
        self._suffixes = ["." + domain if domain else "" for domain in domains]
        self._services = frozenset(
            (service + suffix).encode() for service in policy.services for suffix in self._suffixes
        )
        self._functions: dict[Key, Function] = {}
        self._labels: dict[str, Mapping[str, str]] = {}
        self._by_path: dict[bytes, Key] = {}
        self._own: dict[bytes, Key] = {}
        self._hidden: set[Key] = set()
        """Functions that are not public."""
        self._hosts: dict[bytes, list[Claim]] = {}
        """Admitted claims by host; those of `EVERY` hold on every host that is nobody's."""
        for function in functions:
            self.put(function)

    # Changes

    def put(self, function: Function) -> set[Key]:
        """A Function is there or has changed; the other Functions whose `lost` may have changed by that."""
        affected = self.drop(function.key)
        key = function.key
        self._functions[key] = function
        self._by_path[_path(key)] = key
        if not function.public:
            self._hidden.add(key)
        for host in self._own_hosts(key):
            self._own[host] = key
            affected |= {claim.key for claim in self._hosts.get(host, ())}
        for route in function.spec.routes:
            if self._refusal(key, route) is None:
                claims = self._hosts.setdefault(_host(route), [])
                claim = _claim(function, route)
                insort(claims, claim, key=_rank)
                affected |= _rivals(claims, claim)
        return affected - {key}

    def drop(self, key: Key) -> set[Key]:
        """A Function is gone; the other Functions whose `lost` may have changed by that."""
        function = self._functions.pop(key, None)
        if function is None:
            return set()
        affected: set[Key] = set()
        del self._by_path[_path(key)]
        self._hidden.discard(key)
        for host in self._own_hosts(key):
            del self._own[host]
            affected |= {claim.key for claim in self._hosts.get(host, ())}
        for host in {_host(route) for route in function.spec.routes}:
            claims = self._hosts.get(host, [])
            for claim in claims:
                if claim.key == key:
                    affected |= _rivals(claims, claim)
            left = [claim for claim in claims if claim.key != key]
            if left:
                self._hosts[host] = left
            else:
                self._hosts.pop(host, None)
        return affected - {key}

    def label(self, namespace: str, labels: Mapping[str, str]) -> set[Key]:
        """A namespace has these labels now (none when it is gone); all Functions whose `lost` may have changed."""
        before = granted(self._policy.hosts, namespace, self._labels.get(namespace, {}))
        if labels:
            self._labels[namespace] = labels
        else:
            self._labels.pop(namespace, None)
        affected: set[Key] = set()
        if granted(self._policy.hosts, namespace, labels) != before:
            for key, function in list(self._functions.items()):
                if key.namespace == namespace and function.spec.routes:
                    affected |= self.put(function) | {key}
        return affected

    def _own_hosts(self, key: Key) -> list[bytes]:
        left_alone = key.namespace in self._policy.excluded
        suffixes = [suffix for suffix in self._suffixes if suffix or not left_alone]
        hosts = [f"{key.name}.{key.namespace}{suffix}".encode() for suffix in suffixes]
        return [host for host in hosts if host not in self._services]

    # Requests

    def find(self, host: bytes, method: bytes, target: bytes, *, public: bool = False) -> Found:
        """The owner of a request; `host` as the client wrote it, `target` in origin form.

        `public`: as outsiders see it; see the module.
        """
        hidden = self._hidden if public else _NOBODY
        key, claims = self._own.get(host), self._hosts.get(host)
        if key is None and claims is None:
            host = _plain(host)
            key, claims = self._own.get(host), self._hosts.get(host)
        if key is not None and key not in hidden:
            return Match(key, target, b"", sole=True)
        if claims is not None:
            return _choose(claims, method, target, hidden) if self.whole else None
        if target.startswith(PATH_PREFIX):
            found = self._find_by_path(target)
            return None if found is None or found.key in hidden else found
        anywhere = self._hosts.get(EVERY) if self.whole else None
        if anywhere is None or self._named(host.decode("latin-1")) is not None:
            return None
        return _choose(anywhere, method, target, hidden)

    def _find_by_path(self, target: bytes) -> Match | None:
        path, question, query = target.partition(b"?")
        parts = path.split(b"/", NAME + 1)
        if len(parts) < NAME + 1:
            return None
        key = self._by_path.get(parts[NAME - 1] + b"/" + parts[NAME])
        if key is None:
            return None
        rest = parts[NAME + 1] if len(parts) > NAME + 1 else b""
        return Match(key, b"/" + rest + question + query, b"/".join(parts[: NAME + 1]), sole=True)

    # Routes

    def lost(self, key: Key) -> tuple[RouteLost, ...]:
        """Why this Function's routes do not all lead to it, in their order; owners are named if it may know them."""
        function = self._functions.get(key)
        if function is None:
            return ()
        found = [self._lost(function, route) for route in function.spec.routes]
        return tuple(lost for lost in found if lost is not None)

    def _lost(self, function: Function, route: Route) -> RouteLost | None:
        key, host = function.key, _host(route)
        refusal = self._refusal(key, route)
        if refusal is not None:
            return refusal
        owner = self._own.get(host, key)
        if owner != key:
            whose = f"the Function it names, {owner}" if self._knows(key, owner) else "another Function, which it names"
            return RouteLost(
                Reason.HOST_NOT_ALLOWED, f"Route {_text(route)}: the host belongs to {whose}; choose another."
            )
        claim = _claim(function, route)
        for other in self._hosts.get(host, ()):
            same = other.prefix == claim.prefix and other.key != key and other.rank < claim.rank
            if same and (not other.methods or not claim.methods or other.methods & claim.methods):
                known = self._knows(key, other.key)
                whose = f"the older Function {other.key}" if known else "an older Function of another namespace"
                return RouteLost(Reason.ROUTE_CONFLICT, f"Route {_text(route)} belongs to {whose}; choose another.")
        return None

    def _refusal(self, key: Key, route: Route) -> RouteLost | None:
        """Why a route is not admitted, whatever other Functions there are."""
        host = route.host.lower()
        if not host and _prefix(route.path).startswith(PATH_PREFIX):
            said = "requests below /function/ belong to the Function that the path names; choose another path."
            return RouteLost(Reason.ROUTE_UNREACHABLE, f"Route {_text(route)} never matches: {said}")
        if host.encode() in self._services:
            return RouteLost(
                Reason.HOST_NOT_ALLOWED, f"Route {_text(route)}: the host is the router's own; choose another."
            )
        owner = self._named(host)
        if owner is not None and owner != key:
            said = f"the host belongs to {owner}, the Function it names; choose another."
            return RouteLost(Reason.HOST_NOT_ALLOWED, f"Route {_text(route)} never matches: {said}")
        if key.namespace in self._policy.excluded:
            return RouteLost(Reason.HOST_NOT_ALLOWED, f"Route {_text(route)}: namespace {key.namespace} is not served.")
        if owner is None and not self._granted(key.namespace, host):
            what = f"host {host}" if host else "every host, which a route without one asks for"
            said = f"namespace {key.namespace} has no leave for {what}; the installation's routes.hosts gives it."
            return RouteLost(Reason.HOST_NOT_ALLOWED, f"Route {_text(route)}: {said}")
        return None

    def _granted(self, namespace: str, host: str) -> bool:
        patterns = granted(self._policy.hosts, namespace, self._labels.get(namespace, {}))
        return any_host(patterns, host)

    def _named(self, host: str) -> Key | None:
        """The function that a host below a domain names, whether it exists or not."""
        for suffix in self._suffixes:
            if suffix and host.endswith(suffix):
                labels = host[: -len(suffix)].split(".")
                if len(labels) == LABELS and host.encode("latin-1") not in self._services:
                    return Key(labels[1], labels[0])
        return None

    def _knows(self, viewer: Key, owner: Key) -> bool:
        """Whether one Function's status may name another: in its own namespace, or where nobody keeps tenants apart."""
        return viewer.namespace == owner.namespace or not self._policy.hosts


def _choose(claims: list[Claim], method: bytes, target: bytes, hidden: set[Key]) -> Found:
    """The first claim, longest prefix first, that takes the path and the method; where it is a hidden one's, nobody."""
    if len(claims) == 1 and claims[0].prefix == b"/" and not claims[0].methods:
        only = claims[0].key
        return None if only in hidden else Match(only, target, b"", sole=True)
    path = target.partition(b"?")[0]
    allowed: set[bytes] = set()
    for prefix, methods, key, _rank in claims:
        if prefix in (b"/", path) or path.startswith(prefix + b"/"):
            if not methods or method in methods:
                return None if key in hidden else Match(key, target, b"", sole=False)
            if key not in hidden:
                allowed |= methods
    return WrongMethod(b", ".join(sorted(allowed))) if allowed else None


def _claim(function: Function, route: Route) -> Claim:
    prefix, metadata = _prefix(route.path), function.metadata
    rank = (-len(prefix), metadata.creation_timestamp, metadata.uid, function.key)
    return Claim(prefix, frozenset(method.upper().encode() for method in route.methods), function.key, rank)


def _rank(claim: Claim) -> tuple[int, str, str, Key]:
    return claim.rank


def _rivals(claims: list[Claim], claim: Claim) -> set[Key]:
    return {other.key for other in claims if other.prefix == claim.prefix}


def _host(route: Route) -> bytes:
    return route.host.lower().encode() or EVERY


def _prefix(path: str) -> bytes:
    return ("/" + path.strip("/")).encode()


def _path(key: Key) -> bytes:
    return f"{key.namespace}/{key.name}".encode()


def _text(route: Route) -> str:
    return f"{route.host}{route.path}"


def _plain(host: bytes) -> bytes:
    """Lower case, without port and trailing dot: what the table is keyed by."""
    name, _, _port = host.partition(b":") if not host.startswith(b"[") else (host, b"", b"")
    return name.lower().rstrip(b".")
