"""Which of a function's routes an older function has already; the same order as the router's table."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from wick_api.function import Function, Route
from wick_api.names import Key


class Conflict(Struct, frozen=True):
    """A route that requests never reach this function by."""

    route: str
    winner: Key


Place = tuple[str, str]
"""Host and path prefix."""


class Claims:
    """Every function's routes, by place; only places that somebody claims are kept."""

    def __init__(self) -> None:
        self._places: dict[Place, dict[Key, tuple[str, frozenset[str]]]] = {}
        self._of: dict[Key, frozenset[Place]] = {}

    def put(self, function: Function) -> set[Key]:
        """Take a function's routes in; the other functions whose conflicts may have changed."""
        affected = self.drop(function.key)
        for route in function.spec.routes:
            claimants = self._places.setdefault(place(route), {})
            methods = frozenset(route.methods)
            before = claimants.get(function.key)
            both = methods | before[1] if before and before[1] and methods else (methods if not before else frozenset())
            claimants[function.key] = (function.metadata.creation_timestamp, both)
            affected |= claimants.keys()
        self._of[function.key] = frozenset(place(route) for route in function.spec.routes)
        return affected - {function.key}

    def drop(self, key: Key) -> set[Key]:
        """Forget a function; the others whose conflicts may have changed."""
        affected: set[Key] = set()
        for where in self._of.pop(key, ()):
            claimants = self._places[where]
            claimants.pop(key, None)
            affected |= claimants.keys()
            if not claimants:
                del self._places[where]
        return affected

    def conflicts(self, function: Function) -> tuple[Conflict, ...]:
        """This function's routes that an older function, or of two as old the lesser name, has."""
        mine = (function.metadata.creation_timestamp, function.key)
        found = []
        for route in function.spec.routes:
            claimants = self._places.get(place(route), {})
            older = _older(claimants, mine, frozenset(route.methods))
            if older:
                found.append(Conflict(f"{route.host}{route.path}", min(older)[1]))
        return tuple(found)


def _older(
    claimants: Mapping[Key, tuple[str, frozenset[str]]], mine: tuple[str, Key], methods: frozenset[str]
) -> Iterable[tuple[str, Key]]:
    return [
        (created, key)
        for key, (created, theirs) in claimants.items()
        if (created, key) < mine and (not methods or not theirs or methods & theirs)
    ]


def place(route: Route) -> Place:
    """Host and path as the router's table compares them."""
    return route.host.lower(), "/" + route.path.strip("/")
