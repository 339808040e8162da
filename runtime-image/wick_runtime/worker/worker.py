"""The process that imports the user's code, and what becomes of it then.

::

    fork --> import --> init --+-- asynchronous handler: serves the data port in its own event loop
                               +-- synchronous handler, quickly loaded or not safe to fork: the first handler process
                               +-- synchronous handler, else: a template the handler processes are forked from

In the pool the fork comes first and the order later (role ``spare``), so that a start does not wait for it.

A process must not be forked that has what a copy would lack or share (`fork_safety`): each handler process then
imports the code for itself. So it does where there is no `init` or `shutdown`, which shall not run at each fork, and
the import takes no longer than `SHARED`: a fork before the first request costs that request 3 ms of the 9 that a start
takes (most of it for pages, which are copied when they are first written to), and saves no more than that at each
further process.
"""

import asyncio
import contextlib
import gc
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from wick_runtime.call.interface import Unfit, form
from wick_runtime.config import FunctionTarget, RequestLimits
from wick_runtime.forms import adapters
from wick_runtime.ipc.channel import Channel, Closed, Message
from wick_runtime.ipc.last_words import LastWords
from wick_runtime.run import load_position
from wick_runtime.run.context import Identity
from wick_runtime.run.handler_process import Process, Setting
from wick_runtime.run.load import LoadError, called, load
from wick_runtime.run.output import capture
from wick_runtime.worker import fork_safety
from wick_runtime.worker.code import Code, Shared
from wick_runtime.worker.fork_safety import ProcessResources
from wick_runtime.worker.forker import Forker
from wick_runtime.worker.generators import find, reseed
from wick_runtime.worker.serving import serve

SHARED: Final = 20.0
"""Milliseconds of import and `init` beyond which they are done once, in a template."""


def main(order: dict[str, Any], fds: list[int], shared: Shared) -> int:
    """Load the code of `order` and serve it; 0 when it ended as it should."""
    sock, first = socket.socket(fileno=fds[0]), fds[1:]
    own = order["role"] == "process"
    channel = Channel(sock)
    if order["role"] == "spare":
        _rehearse()
        try:
            ((order, first),) = channel.receive(wait=True)
        except Closed:
            return 0  # its pod goes without having had a function
    born = time.monotonic()
    reseed(shared.generators)
    before = fork_safety.open_files()
    frozen = gc.get_freeze_count()
    if not own:
        load_position.watch(channel, order["target"]["code"])
        shared.words.begin()
    try:
        code = prepare(order, born, shared.words)
    except LoadError as problem:
        sys.stderr.write(f"cannot load {order['target']['handler']}: {describe(problem)}\n")
        if not own:
            channel.send({"op": "failed", **problem.report()})
        return 1
    if code.form.asynchronous:
        _close(first)
        return serve(code, channel, shared)
    load_position.over()
    shared.words.listening = False
    shared.listener.close()
    if own:
        return run_process(sock, code)
    orders = [({"op": "fork", "id": order["first"]}, [fd]) for fd in first]
    return _processes(channel, code, orders, frozen, lambda: fork_safety.observe(before, shared.mappings))


def _processes(
    channel: Channel, code: Code, first: Sequence[Message], frozen: int, observe: Callable[[], ProcessResources]
) -> int:
    """Be the first handler process, where one was ordered along with the code, or the template of all.

    `first` is the order to fork it, if any; `frozen` as in `heap.tracked`.
    """
    took = code.phases["import"] + code.phases["init"]
    hooked = code.loaded.init is not None or code.loaded.shutdown is not None
    quick = bool(first) and took <= SHARED and not hooked
    reasons = [] if quick else fork_safety.reasons(observe())
    forkable = not quick and not reasons
    alone = first and not forkable
    channel.send(
        {
            "op": "loaded",
            "kind": "process" if alone else "processes",
            "forkable": forkable,
            "forking": fork_safety.told(reasons, took if quick else None),
            "noted": not quick,
            "phases": code.phases,
        }
    )
    if alone:
        return run_process(socket.socket(fileno=first[0][1][0]), code)
    if forkable:
        return _template(channel, code, first, frozen)
    return _rest(channel, code)


def _close(fds: Sequence[int]) -> None:
    """Of the handler process that was ordered along with the code, which takes none."""
    for fd in fds:
        os.close(fd)


def _rehearse() -> None:
    from wick_runtime.worker.warmup import rehearse  # noqa: PLC0415 - only in the pool

    def play(order: dict[str, Any], sock: socket.socket) -> None:
        before = fork_safety.open_files()
        code = prepare(order, time.monotonic())
        fork_safety.reasons(fork_safety.observe(before, {}))
        run_process(sock, code)

    rehearse(play)


def prepare(order: dict[str, Any], born: float, words: LastWords | None = None) -> Code:
    """Import and initialise; raises `LoadError`."""
    target, limits = FunctionTarget(**order["target"]), RequestLimits(**order["limits"])
    identity = Identity(target.function, target.namespace, target.revision)
    environment(order["env"], target)
    capture(identity, words)
    loaded = load(target)
    name = target.handler.partition(":")[2]
    try:
        found = form(loaded.handler, target.interface, name, adapters.registered(name))
    except Unfit as unfit:
        raise LoadError(str(unfit), getattr(loaded.module, "__file__", "") or "") from unfit
    handle = None if found.asynchronous else adapters.in_process(loaded, found, name, target.lambda_event)
    imported = time.monotonic()
    if loaded.init is not None and not found.asynchronous:
        called(lambda: run_hook(loaded.init), target.code, "init")
    phases = {"import": (imported - born) * 1000, "init": (time.monotonic() - imported) * 1000, "born": born}
    return Code(loaded, found, target, limits, identity, phases, handle)


def environment(given: dict[str, str] | None, target: FunctionTarget) -> None:
    """What the user's code sees: its own variables, and of the runtime's only who it is."""
    for name in [name for name in os.environ if name.startswith("KUBEWICK_")]:
        del os.environ[name]
    os.environ.update(given or {})
    os.environ.update(
        KUBEWICK_FUNCTION=target.function, KUBEWICK_NAMESPACE=target.namespace, KUBEWICK_REVISION=target.revision
    )


def run_hook(hook: Callable[[], Any] | None) -> None:
    """Run an ``init`` or ``shutdown``, plain or asynchronous, outside any loop."""
    result = hook() if hook is not None else None
    if hasattr(result, "__await__"):
        asyncio.run(_await(result))


async def _await(result: Any) -> None:
    await result


def run_process(sock: socket.socket, code: Code) -> int:
    """Be a handler process, to its end."""
    _process(sock, code)
    return _shut_down(code)


def _process(sock: socket.socket, code: Code) -> None:
    if code.handle is not None:
        Process(sock, Setting(code.handle, code.identity, code.target.debug)).run()


def _template(channel: Channel, code: Code, first: Sequence[Message], frozen: int) -> int:
    generators = find(frozen)

    def start(order: dict[str, Any], fds: list[int]) -> int:
        del order
        reseed(generators)
        return run_process(socket.socket(fileno=fds[0]), code)

    forker = Forker(channel, start, signals=False)
    forker.run(first)
    forker.end()
    return _shut_down(code)


def _rest(channel: Channel, code: Code) -> int:
    """Replaces a template, and cannot be one: wait for the end."""
    with contextlib.suppress(Closed):
        channel.receive(wait=True)
    return _shut_down(code)


def _shut_down(code: Code) -> int:
    if code.loaded.shutdown is not None:
        run_hook(code.loaded.shutdown)
    return 0


def describe(problem: LoadError) -> str:
    """One line: place and message."""
    place = f"{problem.file}:{problem.line}: " if problem.file and problem.line else ""
    return place + problem.message
