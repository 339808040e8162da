"""``python -m wick_router``: the router on Kubernetes."""

import asyncio
import importlib
import os
import signal
import sys

import uvloop

from wick_api import logs
from wick_api.hosts import by_label
from wick_api.settings import SettingInvalid
from wick_router.admin.group import Group
from wick_router.config import RouterConfig
from wick_router.proxy.tracing import Tracing, configured
from wick_router.router import Router

SWITCH_INTERVAL = 0.0005
"""Seconds after which the admin thread has to give way to the data plane; Python's own 5 ms would show in p99."""


def main() -> None:
    """Run until SIGTERM or SIGINT; exit status 2 when the configuration cannot be read."""
    try:
        config = RouterConfig.from_environment(os.environ)
        parent = config.processes > 1 and not config.admin_unix
        tracing = None if parent else configured(os.environ)
    except SettingInvalid as error:
        sys.exit(f"wick_router: {error}")
    logs.configure(config.log_level)
    sys.setswitchinterval(SWITCH_INTERVAL)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(config, tracing))


async def serve(config: RouterConfig, tracing: Tracing | None) -> None:
    """Serve until told to stop, then drain; with several processes, as their parent or as one of them."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if config.processes > 1 and not config.admin_unix:
        await Group(config, (sys.executable, "-m", "wick_router")).run(stopping)
        return
    kubernetes = importlib.import_module("wick_router.kubernetes")  # 119 MB that only this entry point needs
    await Router(config, kubernetes.KubernetesBackend(namespace_labels=by_label(config.hosts)), tracing=tracing).run(
        stopping
    )
