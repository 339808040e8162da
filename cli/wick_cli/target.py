"""Which platform a command speaks to: the options that say so, and how it is opened."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from wick_cli.platform import Platform


@dataclass(frozen=True)
class PlatformTarget:
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
        from wick_cli.cluster import ClusterPlatform  # noqa: PLC0415

        return ClusterPlatform.connect(self.context, self.namespace)


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
        command(target=PlatformTarget(local, port, context, namespace), **others)

    return wrapped
