"""What a worker is given: what it shares with the instance's other processes, and the function's code."""

import socket
from collections.abc import Mapping
from typing import NamedTuple

from wick_runtime.call.interface import Form
from wick_runtime.config import FunctionTarget, Patience, RequestLimits
from wick_runtime.ipc.last_words import LastWords
from wick_runtime.ipc.shared_table import SharedTable
from wick_runtime.run.context import Identity
from wick_runtime.run.handler_process import Handle
from wick_runtime.run.load import LoadedCode
from wick_runtime.worker.generators import Generators


class Shared(NamedTuple):
    """What every process of the instance inherits."""

    table: SharedTable
    words: LastWords
    listener: socket.socket
    """The data port, bound; whoever serves it listens."""
    parser: str
    loop: str
    patience: Patience = Patience()
    mappings: Mapping[str, str] = {}
    """`fork_safety.shared_mappings` of the supervisor: what every process shares and should."""
    generators: Generators = Generators()
    """Random generators of the modules that were loaded ahead."""


class Code(NamedTuple):
    """The function, ready to run."""

    loaded: LoadedCode
    form: Form
    target: FunctionTarget
    limits: RequestLimits
    identity: Identity
    phases: dict[str, float]
    handle: Handle | None
    """How a handler process calls it; None for an asynchronous one."""
