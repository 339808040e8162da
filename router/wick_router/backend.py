"""Where instances come from: the one seam between the router and a platform.

Two implementations exist: Kubernetes (`wick_router.kubernetes`) and the local platform of ``wick up``
(`wick_cli.local`). The router knows nothing of either. A backend reports facts to its `Sink` and carries out one
command, `Backend.activate`; it never decides how many instances a function should have.

Everything happens in the data plane's event loop, so there are no locks; a backend that works elsewhere hands over
with ``call_soon_threadsafe``.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from wick_api.fault import Faults
from wick_api.function import Function
from wick_api.names import Key
from wick_api.reason import Reason


class Instance(Struct, frozen=True):
    """One running copy of a function that the router may dial."""

    id: str
    """Pod UID or process id; never reused for another instance of the same function."""
    host: str
    port: int
    revision: str
    ready: bool
    """The platform already vouches for it. The router may find out sooner by dialling, and does."""
    terminating: bool = False
    """No new requests; those in flight finish."""
    origin: str = "deployment"
    """How it came up, a metric label: ``deployment``, ``warm-pool`` or ``process``."""
    phases: tuple[tuple[str, float], ...] = ()
    """Steps of its start that the backend measured, in order, in milliseconds; shown in ``Server-Timing``."""


class Sink(Protocol):
    """What the router wants to be told; every call replaces what was said before for the same key.

    What is said of a Function before `function` or after `function_gone` is ignored: its instances may outlive it, and
    a request for it must not.
    """

    @property
    def faults(self) -> Faults:
        """Where a function's trouble is counted."""

    def function(self, function: Function) -> None:
        """A Function exists, or changed."""

    def function_gone(self, key: Key) -> None:
        """A Function was deleted: waiting requests get 404, those in flight finish."""

    def instances(self, key: Key, instances: Sequence[Instance]) -> None:
        """The complete set of a function's instances, dialable or not."""

    def failed(self, key: Key, reason: Reason, message: str) -> None:
        """The function's instances cannot come up, for this reason; waiting requests are refused with it at once.

        Withdrawn by the next `instances` that has a ready one, by the next `function`, or by `recovered`.
        """

    def fell_back(self, key: Key, reason: str) -> None:
        """A start of the function takes the slow path, for this reason (a metric label); counted and shown."""

    def delayed(self, key: Key, cause: str) -> None:
        """A start of the function waits for this; requests that time out before it ends are told so.

        Withdrawn by the next `instances` that has any, by `failed`, or by the next `function`.
        """

    def recovered(self, key: Key) -> None:
        """What `failed` said no longer holds."""

    def namespace(self, name: str, labels: Mapping[str, str]) -> None:
        """A namespace has these labels; none when it is gone. Only told where `routes.hosts` goes by labels."""

    def synced(self, in_touch: bool) -> None:  # noqa: FBT001 - a statement, not an option
        """Whether the backend's view is complete and current; False makes the admin API say ``degraded``."""


class Backend(Protocol):
    """A platform that runs instances."""

    async def run(self, sink: Sink) -> None:
        """Report to `sink` until cancelled."""

    def activate(self, key: Key) -> None:
        """Ask for a first instance of a function that has none. Returns at once; safe to repeat.

        The outcome arrives through the sink, as `instances` or `failed`.
        """
