"""What the commands ask of a platform, be it a cluster or a running ``wick up``.

Both speak in Kubernetes-shaped Functions (`metadata`, `spec`, `status`), so a command has one way to show them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from wick_api.names import Key
from wick_cli.document.manifest import Document

Shown = Mapping[str, Any]
"""A Function as the platform shows it."""


@dataclass(frozen=True)
class FunctionCall:
    """One request to a function."""

    method: str = "GET"
    path: str = "/"
    """Below the function's own, with the query, percent-encoded."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    timeout: float = 60.0
    """Seconds without a byte."""


@dataclass(frozen=True)
class FunctionAnswer:
    """The function's response; the body arrives as it is streamed."""

    status: int
    headers: Mapping[str, str]
    body: Iterator[bytes] = field(default_factory=lambda: iter(()))


class Platform(Protocol):
    """Somewhere functions run. Methods raise the failures of `wick_cli.failure`."""

    namespace: str
    """Where a function is looked for when nobody says."""

    def functions(self, namespace: str | None) -> list[Shown]:
        """All of one namespace, or of all."""

    def function(self, key: Key) -> Shown:
        """One of them."""

    def instances(self, key: Key) -> list[Shown]:
        """Each with `id`, `revision`, `state` and what else the platform knows."""

    def apply(self, document: Document) -> str:
        """Create or change what the document says; ``created``, ``configured`` or ``unchanged``."""

    def call(self, key: Key, call: FunctionCall) -> FunctionAnswer:
        """Send one request through the router."""

    def lines(self, key: Key, tail: int, *, follow: bool) -> Iterator[str]:
        """Log lines, oldest first; with `follow`, until the caller stops."""

    def rest(self, key: Key, within: float) -> None:
        """Return once it is at zero, however this platform gets there; `TooLate` after `within` seconds."""

    def delete(self, key: Key) -> None:
        """Remove one function."""


def key_of(platform: Platform, name: str) -> Key:
    """``name`` in the platform's namespace, or ``namespace/name``."""
    namespace, slash, rest = name.partition("/")
    return Key(namespace, rest) if slash else Key(platform.namespace, name)
