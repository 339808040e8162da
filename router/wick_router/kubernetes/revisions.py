"""What functions run, by revision: read from their immutable ConfigMaps when needed, and kept while there is room."""

from collections import OrderedDict

from wick_api import names
from wick_api.names import Key
from wick_api.revision import Revision, unpack
from wick_kube.cluster import Cluster
from wick_kube.resource import CONFIG_MAPS

ROOM = 64 * 1024 * 1024
"""Characters of source kept; 5,000 functions of 10 KB fit, and what does not costs a call of 3 ms."""


class Revisions:
    """A cache of what never changes; least recently used goes first."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._kept: OrderedDict[tuple[Key, str], Revision] = OrderedDict()
        self._size = 0

    async def get(self, key: Key, revision: str) -> Revision:
        """The revision; `ApiError` or `Unreachable` where it cannot be read, ``KeyError`` where it is not ours."""
        address = key, revision
        if address in self._kept:
            self._kept.move_to_end(address)
            return self._kept[address]
        found = unpack(await self._cluster.get(CONFIG_MAPS, key.namespace, names.source(key, revision)))
        if address not in self._kept:
            self._kept[address] = found
            self._size += _size(found)
            while self._size > ROOM:
                self._size -= _size(self._kept.popitem(last=False)[1])
        return found


def _size(revision: Revision) -> int:
    return 1000 + sum(len(text) for text in revision.files.values())
