"""The control process: its entry, its loop, and the channel to the supervisor."""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Sequence
from types import FrameType

from wick_runtime.config import RuntimeConfig
from wick_runtime.http.message.parser import choose
from wick_runtime.http.server import Server, ServerSettings
from wick_runtime.instance.control_port import ControlPort
from wick_runtime.instance.lifecycle import RuntimeInstance
from wick_runtime.ipc.channel import Channel
from wick_runtime.ipc.shared_table import SharedTable
from wick_runtime.loop import run
from wick_runtime.worker.code import Shared


def main(config: RuntimeConfig, channel: Channel, shared: Shared, port: Sequence[socket.socket]) -> int:
    """Until the instance is over; its exit code. `port` is the listening socket, and connections accepted from it."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ignored)  # the supervisor gets them and says so on the channel
    gc.enable()  # the supervisor forks with it off, and this process lives as long as the instance
    try:
        return run(_main(config, channel, shared, *port), config.loop)
    except BaseException:  # noqa: BLE001 - the last frame of this process: show it and end
        sys.excepthook(*sys.exc_info())
        return 70


async def _main(
    config: RuntimeConfig, channel: Channel, shared: Shared, listener: socket.socket, *accepted: socket.socket
) -> int:
    instance = RuntimeInstance(config, channel, shared)
    port = ControlPort(instance, instance.spawn, config.woken)
    server = Server(port, choose(config.parser), SharedTable(), ServerSettings(config.target.function, timeout=600.0))
    port.bind(server)
    for sock in accepted:
        await server.adopt(sock)
    await server.listen(listener)
    asyncio.get_running_loop().add_reader(channel.fileno(), instance.supervisor_said)
    sys.stderr.write(
        f"wick_runtime: data port {shared.listener.getsockname()[1]}, control port {listener.getsockname()[1]}\n"
    )
    instance.begin()
    return await instance.over


def _ignored(_signal: int, _frame: FrameType | None) -> None:
    """See `main`."""
