"""A backend whose instances are given: for tests and benchmarks only."""

import asyncio
from collections.abc import Sequence

from wick_api.function import parse
from wick_api.names import API_VERSION, KIND, Key
from wick_router.backend import Instance, Sink


def function(name, *, namespace="default", status=None, created="", **spec):
    """A Function as the API server would give it."""
    return parse(
        {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": name, "namespace": namespace, "creationTimestamp": created},
            "spec": {"image": "example", **spec},
            "status": status or {},
        }
    )


class StaticBackend:
    """Says once what it was given; `activations` records what it was asked for."""

    def __init__(self, functions: Sequence, instances: dict[Key, Sequence[Instance]] | None = None) -> None:
        self._functions = functions
        self._instances = instances or {}
        self.activations: list[Key] = []
        self.sink: Sink | None = None

    async def run(self, sink: Sink) -> None:
        self.sink = sink
        for each in self._functions:
            sink.function(each)
        for key, instances in self._instances.items():
            sink.instances(key, instances)
        sink.synced(in_touch=True)
        await asyncio.Event().wait()

    def activate(self, key: Key) -> None:
        self.activations.append(key)
