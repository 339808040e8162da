"""What the commands ask of a platform, be it a cluster or a running ``wick up``, and how a person says which one.

Both speak in Kubernetes-shaped Functions (`metadata`, `spec`, `status`), so a command has one way to show them.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import click

from wick_api.names import Key
from wick_cli.manifest import Document

Shown = Mapping[str, Any]
"""A Function as the platform shows it."""


@dataclass(frozen=True)
class Call:
    """One request to a function."""

    method: str = "GET"
    path: str = "/"
    """Below the function's own, with the query, percent-encoded."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    timeout: float = 60.0
    """Seconds without a byte."""


@dataclass(frozen=True)
class Answer:
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

    def call(self, key: Key, call: Call) -> Answer:
        """Send one request through the router."""

    def lines(self, key: Key, tail: int, *, follow: bool) -> Iterator[str]:
        """Log lines, oldest first; with `follow`, until the caller stops."""

    def rest(self, key: Key, within: float) -> None:
        """Return once it is at zero, however this platform gets there; `TooLate` after `within` seconds."""

    def delete(self, key: Key) -> None:
        """Remove one function."""


@dataclass(frozen=True)
class Target:
    """Which platform, as the options say."""

    local: bool
    port: int
    context: str | None
    namespace: str | None

    def open(self) -> Platform:
        """Connect; the import is here so that ``--local`` never loads the Kubernetes client."""
        if self.local:
            from wick_cli.local.client import LocalPlatform  # noqa: PLC0415

            return LocalPlatform(self.port, self.namespace or "default")
        from wick_cli.cluster import Cluster  # noqa: PLC0415

        return Cluster.connect(self.context, self.namespace)


def target_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that choose a platform; the command gets them as one `target`."""

    @click.option("--local", is_flag=True, help="Ask the `wick up` of this machine instead of a cluster.")
    @click.option("--port", default=8080, show_default=True, help="Port of that `wick up`.")
    @click.option("--context", help="kubeconfig context; the current one if not given.")
    @click.option("--namespace", "-n", help="Namespace; the context's, or `default`, if not given.")
    @functools.wraps(command)
    def wrapped(
        *, local: bool, port: int, context: str | None, namespace: str | None, **others: Any
    ) -> None:  # click passes options by keyword
        command(target=Target(local, port, context, namespace), **others)

    return wrapped


def key_of(platform: Platform, name: str) -> Key:
    """``name`` in the platform's namespace, or ``namespace/name``."""
    namespace, slash, rest = name.partition("/")
    return Key(namespace, rest) if slash else Key(platform.namespace, name)
