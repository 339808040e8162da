"""Which kept revisions may go."""

from collections.abc import Collection, Iterable

from msgspec import Struct


class Kept(Struct, frozen=True):
    """A revision's ConfigMap, as far as its metadata tells."""

    revision: str
    name: str
    uid: str
    created: str
    """RFC 3339, so that it sorts as text."""
    input: str = ""


def newest_first(kept: Iterable[Kept]) -> list[Kept]:
    return sorted(kept, key=lambda each: (each.created, each.revision), reverse=True)


def surplus(kept: Iterable[Kept], in_use: Collection[str], limit: int) -> list[Kept]:
    """Beyond the newest `limit` of those not in use; `in_use` holds what is wanted, asked for or run by a pod."""
    return [each for each in newest_first(kept) if each.revision not in in_use][limit:]
