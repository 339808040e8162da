"""The demand signal: the exact integral over time of requests in flight plus waiting.

``total`` grows by ``level * (now - since)`` at every change of the level, so it is exact whatever the moment it is
read, and the difference of two readings divided by the time between them is the mean concurrency of that time.

Pure: the moment comes in as an argument (seconds of any clock that never goes back).
"""


class RevisionDemand:
    """What one revision of a function has to do, and had."""

    __slots__ = ("codes", "level", "revision", "since", "total")

    def __init__(self, revision: str, now: float) -> None:
        self.revision = revision
        self.level = 0
        """Requests in flight plus waiting."""
        self.total = 0.0
        """Request-seconds up to `since`."""
        self.since = now
        self.codes: dict[int, int] = {}
        """Answers by status code; 0 counts requests whose client left before the answer began."""

    def add(self, change: int, now: float) -> None:
        """`change` more requests from `now` on."""
        self.total += self.level * (now - self.since)
        self.since = now
        self.level += change

    def read(self, now: float) -> float:
        """Request-seconds up to `now`."""
        return self.total + self.level * (now - self.since)
