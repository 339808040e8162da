"""Which kept revisions may go."""

from collections.abc import Collection, Iterable

from wick_operator.observed.snapshot import KeptRevision


def newest_first(kept: Iterable[KeptRevision]) -> list[KeptRevision]:
    return sorted(kept, key=lambda each: (each.created, each.revision), reverse=True)


def surplus(kept: Iterable[KeptRevision], in_use: Collection[str], limit: int) -> list[KeptRevision]:
    """Beyond the newest `limit` of those not in use; `in_use` holds what is wanted, asked for or run by a pod."""
    return [each for each in newest_first(kept) if each.revision not in in_use][limit:]
